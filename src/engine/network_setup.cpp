#include "engine/network_setup.h"

#include <fcntl.h>

#include "base/ids.h"
#include "base/log.h"
#include "base/strings.h"
#include "engine/create_request.h"
#include "network/files.h"
#include "sys/file.h"

namespace skiff::engine {
namespace {

constexpr std::string_view kDnsSockets = "dns";

void log_failure(const Result<void>& result, std::string_view what, const std::string& id) {
  if (!result.ok()) log::warning("{} of container {}: {}", what, id, result.error().message());
}

Result<std::vector<network::PortBinding>> bindings_of(const std::string& port,
                                                      const std::vector<spec::docker::PortBinding>& wanted) {
  const PortRange range = TRY(parse_port(port));
  std::vector<network::PortBinding> result;
  for (const auto& binding : wanted) {
    network::PortBinding wish;
    wish.protocol = range.protocol;
    wish.container_port = range.first;
    wish.host_address = binding.host_ip;
    if (!binding.host_port.empty()) {
      const auto [low, high] = cut(binding.host_port, '-');
      const auto first = parse_uint(low);
      const auto last = high ? parse_uint(*high) : first;
      if (!first || !last || *last > 65535 || *first > *last)
        return fail(Kind::InvalidArgument, "invalid port specification: \"{}\"", binding.host_port);
      wish.host_port = static_cast<std::uint16_t>(*first);
      wish.host_port_end = *last > *first ? static_cast<std::uint16_t>(*last) : 0;
    }
    result.push_back(std::move(wish));
  }
  return result;
}

/// The endpoint whose network leads outside: ports are opened there.
const network::Endpoint* outward(const std::vector<network::Endpoint>& endpoints) {
  for (const auto& endpoint : endpoints)
    if (!endpoint.ipv4.empty() && !endpoint.internal) return &endpoint;
  return nullptr;
}

/// The file itself stays: it is mounted in the container, where a new one would not be seen.
Result<void> write_in_place(const std::string& path, std::string_view bytes) {
  const sys::Fd file = TRY(sys::open_file(path, O_WRONLY | O_TRUNC | O_NOFOLLOW));
  return sys::write_all(file, bytes);
}

}  // namespace

network::EndpointRequest endpoint_request(const Definition& definition, const std::string& network,
                                          const spec::docker::EndpointSettings& wanted) {
  network::EndpointRequest request;
  request.network = network;
  request.container = definition.id;
  request.container_name = definition.name;
  request.hostname = definition.config.hostname;
  request.aliases = wanted.aliases;
  request.links = wanted.links;
  if (wanted.ipam_config) request.ipv4 = wanted.ipam_config->ipv4_address;
  request.mac = wanted.mac_address.empty() ? definition.config.mac_address : wanted.mac_address;
  return request;
}

Result<std::vector<network::Endpoint>> allocate_endpoints(Parts& parts, const Definition& definition) {
  std::vector<std::pair<std::string, spec::docker::EndpointSettings>> order(definition.endpoints.begin(),
                                                                            definition.endpoints.end());
  // The network of --network is the first interface; the others follow by name.
  std::stable_partition(order.begin(), order.end(),
                        [&](const auto& entry) { return entry.first == definition.host.network_mode; });
  if (order.size() > 1 && definition.endpoints.contains("none"))
    return Error(
        Kind::InvalidArgument,
        "failed to set up container networking: container cannot be connected to multiple networks with "
        "one of the networks in private (none) mode");
  std::vector<network::Endpoint> endpoints;
  UndoStack undo;
  for (const auto& [name, wanted] : order) {
    auto endpoint = parts.networks.allocate(endpoint_request(definition, name, wanted));
    if (!endpoint.ok()) return endpoint.error().with_context("failed to set up container networking");
    const std::string network = endpoint->network;
    undo.add([&parts, id = definition.id, network] {
      log_failure(parts.networks.release(id, network), "release of the address", id);
    });
    endpoints.push_back(std::move(endpoint).value());
  }
  undo.dismiss();
  return endpoints;
}

Result<std::vector<network::PortBinding>> wanted_ports(const Definition& definition) {
  std::vector<network::PortBinding> ports;
  for (const auto& [port, wanted] : definition.host.port_bindings) {
    auto bindings =
        TRY(bindings_of(port, wanted.empty() ? std::vector<spec::docker::PortBinding>(1) : wanted));
    ports.insert(ports.end(), bindings.begin(), bindings.end());
  }
  if (!definition.host.publish_all_ports) return ports;
  for (const auto& [port, unused] : definition.config.exposed_ports) {
    if (definition.host.port_bindings.contains(port)) continue;
    const PortRange range = TRY(parse_port(port));
    for (int number = range.first; number <= range.last; ++number)
      ports.push_back({range.protocol, static_cast<std::uint16_t>(number), "", 0, 0});
  }
  return ports;
}

spec::docker::PortMap port_map(const std::vector<network::PortBinding>& published) {
  spec::docker::PortMap map;
  for (const auto& port : published) {
    map[fmt::format("{}/{}", port.container_port, port.protocol)].push_back(
        {port.host_address.empty() ? "0.0.0.0" : port.host_address, std::to_string(port.host_port)});
  }
  return map;
}

Result<spec::docker::PortMap> connect_networks(Parts& parts, const Definition& definition, runner::Task& task,
                                               const std::vector<network::Endpoint>& endpoints,
                                               UndoStack& undo) {
  spec::docker::PortMap ports;
  if (endpoints.empty() || definition.host.network_mode == "host") return ports;
  const std::string& id = definition.id;
  const sys::Fd space = TRY(task.network_namespace());
  for (const auto& endpoint : endpoints) {
    TRY_CONTEXT(parts.networks.plug(endpoint, space), "failed to set up container networking");
    undo.add([&parts, endpoint] {
      log_failure(parts.networks.unplug(endpoint, nullptr), "unplugging", endpoint.container);
    });
  }
  const auto wanted = TRY(wanted_ports(definition));
  if (const auto* endpoint = outward(endpoints); endpoint && !wanted.empty()) {
    undo.add([&parts, id] { log_failure(parts.networks.unpublish(id), "closing ports", id); });
    auto published = parts.networks.publish(*endpoint, wanted);
    if (!published.ok()) return published.error().with_context("failed to set up container networking");
    ports = port_map(*published);
  }
  const auto asks_us = [&](const network::Endpoint& e) { return parts.networks.has_dns(e.network); };
  if (std::any_of(endpoints.begin(), endpoints.end(), asks_us)) {
    auto sockets = TRY(parts.networks.open_dns(id, space));
    undo.add([&parts, id] { parts.networks.stop_dns(id); });
    std::vector<int> numbers;
    for (const auto& socket : sockets) numbers.push_back(socket.get());
    TRY(task.keep(std::string(kDnsSockets), numbers));
    TRY(parts.networks.serve_dns(id, std::move(sockets), definition.host.dns));
  }
  return ports;
}

Result<void> follow_network(Parts& parts, const Definition& definition, const network::Endpoint& changed,
                            bool joined) {
  constexpr std::size_t kLimit = 1 << 20;
  const std::string directory = container_directory(parts.config, definition.id);
  const std::string line =
      network::hosts_line(changed, definition.config.hostname, definition.config.domainname);
  std::string hosts = TRY(sys::read_file(directory + "/hosts", kLimit));
  if (joined)
    hosts += line;
  else if (const auto at = hosts.find(line); !line.empty() && at != std::string::npos)
    hosts.erase(at, line.size());
  TRY(write_in_place(directory + "/hosts", hosts));

  bool others = false;
  for (const auto& endpoint : TRY(parts.networks.endpoints(definition.id)))
    others = others || (endpoint.network != changed.network && parts.networks.has_dns(endpoint.network));
  if (others || !parts.networks.has_dns(changed.network)) return {};
  const network::DnsOptions wanted{definition.host.dns, definition.host.dns_search,
                                   definition.host.dns_options};
  const std::string resolver = directory + "/resolv.conf";
  if (TRY(sys::read_file(resolver, kLimit)) != network::resolv_conf(parts.config, wanted, !joined)) return {};
  return write_in_place(resolver, network::resolv_conf(parts.config, wanted, joined));
}

Result<void> disconnect_networks(Parts& parts, const std::string& id) {
  parts.networks.stop_dns(id);
  log_failure(parts.networks.unpublish(id), "closing ports", id);
  Result<void> released;
  for (const auto& endpoint : TRY(parts.networks.endpoints(id))) {
    log_failure(parts.networks.unplug(endpoint, nullptr), "unplugging", id);
    auto given_back = parts.networks.release(id, endpoint.network);
    if (released.ok()) released = std::move(given_back);
  }
  return released;
}

spec::docker::EndpointSettings shown_endpoint(const spec::docker::EndpointSettings& wanted,
                                              const network::Endpoint* got) {
  spec::docker::EndpointSettings shown = wanted;
  shown.endpoint_id.clear();
  shown.gateway.clear();
  shown.ip_address.clear();
  shown.ip_prefix_len = 0;
  if (!got) return shown;
  shown.network_id = got->network;
  shown.endpoint_id = got->id;
  shown.gateway = got->gateway;
  shown.ip_address = got->ipv4;
  shown.ip_prefix_len = got->ipv4.empty() ? 0 : got->prefix;
  shown.mac_address = got->mac;
  shown.dns_names = got->dns_names;
  return shown;
}

}  // namespace skiff::engine
