#include <algorithm>

#include "base/ids.h"
#include "base/log.h"
#include "base/undo.h"
#include "network/files.h"
#include "network/service_impl.h"

namespace skiff::network {

using meta::Durability;
using sys::Ipv4;
using sys::Prefix;

namespace {

std::string record_key(const std::string& container, const std::string& network) {
  return container + "/" + network;
}

/// As Docker did up to release 27: who gets an address again gets its link address too, so stale ARP entries
/// stay true.
std::string mac_of(Ipv4 address) {
  std::string bytes("\x02\x42", 2);
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(address.value >> shift & 255));
  return sys::format_mac(bytes);
}

PortBinding binding(const PublishedPort& port) {
  return {port.protocol, port.container_port, port.host_address.text(), port.host_port, 0};
}

std::vector<PortBinding> bindings(const std::vector<PublishedPort>& ports) {
  std::vector<PortBinding> out;
  for (const auto& port : ports) out.push_back(binding(port));
  return out;
}

Error bad_endpoint(const std::string& network, std::string_view why) {
  return fail(Kind::InvalidArgument, "invalid config for network {}: invalid endpoint settings:\n{}", network,
              why);
}

}  // namespace

std::vector<std::string> dns_names(const std::string& container, const std::string& name,
                                   const std::vector<std::string>& aliases, const std::string& hostname) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& candidate) {
    if (!candidate.empty() && std::find(out.begin(), out.end(), candidate) == out.end())
      out.push_back(candidate);
  };
  add(name);
  for (const auto& alias : aliases) add(alias);
  add(std::string(short_id(container)));
  add(hostname);
  return out;
}

std::string host_link(const Endpoint& endpoint) { return "veth" + endpoint.id.substr(0, 7); }

std::string ServiceImpl::free_interface(const std::string& container) {
  for (int number = 0;; ++number) {
    const std::string candidate = fmt::format("eth{}", number);
    const bool used = std::any_of(seats_.begin(), seats_.end(), [&](const auto& entry) {
      return entry.first.first == container && entry.second.record.endpoint.interface == candidate;
    });
    if (!used) return candidate;
  }
}

Result<void> ServiceImpl::take_address(Network& network, const EndpointRequest& request, Endpoint& endpoint) {
  const auto& known = network.record.shown;
  std::optional<Ipv4> address;
  if (request.ipv4.empty()) {
    address = network.space.take_any();
    if (!address)
      return fail(Kind::Exhausted, "no available IPv4 addresses on this network's address pools: {} ({})",
                  known.name, known.id);
  } else {
    if (known.name == "bridge")
      return bad_endpoint(
          known.name,
          "* user specified IP address is supported on user defined networks only\n"
          "* user specified IP address is supported only when connecting to networks with user "
          "configured subnets");
    if (!network.record.own_subnet)
      return bad_endpoint(known.name,
                          "user specified IP address is supported only when connecting to networks with user "
                          "configured subnets");
    address = Ipv4::parse(request.ipv4);
    if (!address) return bad_endpoint(known.name, "invalid IPv4 address: " + request.ipv4);
    if (!network.space.usable(*address))
      return bad_endpoint(known.name,
                          "no configured subnet or ip-range contain the IP address " + request.ipv4);
    if (!network.space.take(*address)) return fail(Kind::Forbidden, "Address already in use");
  }
  endpoint.ipv4 = address->text();
  endpoint.prefix = network.space.subnet().length;
  endpoint.gateway = known.internal ? "" : network.gateway.text();
  if (endpoint.mac.empty()) endpoint.mac = mac_of(*address);
  return {};
}

Result<Endpoint> ServiceImpl::allocate(const EndpointRequest& request) {
  const MutexLock lock(mutex_);
  Network& network = *TRY(find(request.network));
  const auto& known = network.record.shown;
  const SeatKey key{request.container, known.id};
  if (seats_.contains(key))
    return fail(Kind::Forbidden, "endpoint with name {} already exists in network {}", request.container_name,
                known.name);
  Endpoint endpoint;
  endpoint.id = random_id();
  endpoint.network = known.id;
  endpoint.network_name = known.name;
  endpoint.container = request.container;
  endpoint.container_name = request.container_name;
  endpoint.aliases = request.aliases;
  endpoint.links = request.links;
  endpoint.internal = known.internal;
  if (!request.mac.empty()) {
    const auto mac = sys::parse_mac(request.mac);
    if (!mac)
      return fail(Kind::InvalidArgument, "invalid MAC address: address {}: invalid MAC address", request.mac);
    endpoint.mac = sys::format_mac(*mac);
  }
  if (network.is_bridge()) {
    TRY(take_address(network, request, endpoint));
    endpoint.interface = free_interface(request.container);
    if (known.name != "bridge")
      endpoint.dns_names =
          dns_names(request.container, request.container_name, request.aliases, request.hostname);
  } else {
    endpoint.mac.clear();
  }
  UndoStack undo;
  if (const auto address = Ipv4::parse(endpoint.ipv4))
    undo.add([&network, address] { network.space.give_back(*address); });
  const EndpointRecord record{endpoint, ++last_order_};
  TRY(put(kEndpointTable, record_key(request.container, known.id), json::encode(record),
          Durability::Relaxed));
  undo.dismiss();
  seats_[key] = {record, false};
  return endpoint;
}

Result<void> ServiceImpl::erase_seat(const SeatKey& key) {
  const auto found = seats_.find(key);
  if (found == seats_.end()) return {};
  TRY(erase(kEndpointTable, record_key(key.first, key.second), Durability::Relaxed));
  const auto network = networks_.find(key.second);
  const auto address = Ipv4::parse(found->second.record.endpoint.ipv4);
  if (network != networks_.end() && address) network->second.space.give_back(*address);
  names_.remove(key.first, key.second);
  seats_.erase(found);
  return {};
}

Result<void> ServiceImpl::release(const std::string& container, const std::string& network) {
  const MutexLock lock(mutex_);
  const auto found = find(network);
  return erase_seat({container, found.ok() ? (*found)->record.shown.id : network});
}

Result<void> ServiceImpl::rename(const std::string& container, const std::string& name) {
  const MutexLock lock(mutex_);
  std::vector<Endpoint> renamed;
  TRY(database_.write([&](meta::Transaction& transaction) NO_THREAD_SAFETY_ANALYSIS -> Result<void> {
    for (const auto& [key, seat] : seats_) {
      if (key.first != container) continue;
      EndpointRecord record = seat.record;
      for (auto& each : record.endpoint.dns_names)
        if (each == record.endpoint.container_name) each = name;
      record.endpoint.container_name = name;
      TRY(transaction.put(kEndpointTable, record_key(key.first, key.second), json::encode(record)));
      renamed.push_back(record.endpoint);
    }
    return {};
  }));
  for (const auto& endpoint : renamed) seats_.at({container, endpoint.network}).record.endpoint = endpoint;
  names_.rename(container, name, renamed);
  return {};
}

Result<std::vector<Endpoint>> ServiceImpl::endpoints(const std::string& container) {
  const MutexLock lock(mutex_);
  std::vector<EndpointRecord> records;
  for (const auto& [key, seat] : seats_)
    if (key.first == container) records.push_back(seat.record);
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.order < b.order; });
  std::vector<Endpoint> out;
  for (auto& record : records) out.push_back(std::move(record.endpoint));
  return out;
}

void ServiceImpl::mark(const Endpoint& endpoint, bool plugged) {
  const auto seat = seats_.find({endpoint.container, endpoint.network});
  if (seat == seats_.end()) return;
  seat->second.plugged = plugged;
  if (plugged)
    names_.add(seat->second.record.endpoint);
  else
    names_.remove(endpoint.container, endpoint.network);
}

Result<void> ServiceImpl::plug(const Endpoint& endpoint, const sys::Fd& network_namespace) {
  PlugRequest request;
  std::string driver;
  {
    const MutexLock lock(mutex_);
    const Network& network = *TRY(find(endpoint.network));
    driver = network.record.shown.driver;
    if (network.is_bridge())
      request = {host_link(endpoint),
                 endpoint.interface,
                 bridge_of(network),
                 sys::parse_mac(endpoint.mac).value_or(""),
                 {Ipv4::parse(endpoint.ipv4).value_or(Ipv4{}), endpoint.prefix},
                 !endpoint.gateway.empty(),
                 !network.options.icc};
  }
  if (driver == "bridge")
    TRY_CONTEXT(kernel_->plug(request, network_namespace), "network {}", endpoint.network_name);
  const MutexLock lock(mutex_);
  mark(endpoint, true);
  return {};
}

Result<void> ServiceImpl::unplug(const Endpoint& endpoint, const sys::Fd* network_namespace) {
  std::vector<Endpoint> others;
  {
    const MutexLock lock(mutex_);
    mark(endpoint, false);
    for (const auto& [key, seat] : seats_)
      if (key.first == endpoint.container && key.second != endpoint.network && seat.plugged &&
          !seat.record.endpoint.gateway.empty())
        others.push_back(seat.record.endpoint);
  }
  if (!network_namespace || endpoint.interface.empty()) return {};
  TRY(kernel_->remove_link(host_link(endpoint)));
  // The default route may have gone with the link: the next network takes over.
  if (!others.empty() && !endpoint.gateway.empty())
    TRY(kernel_->add_default_route(others.front().interface, *Ipv4::parse(others.front().gateway),
                                   *network_namespace));
  return {};
}

Result<std::vector<PortBinding>> ServiceImpl::publish(const Endpoint& endpoint,
                                                      std::vector<PortBinding> wanted) {
  const MutexLock lock(mutex_);
  const Network& network = *TRY(find(endpoint.network));
  const auto container_address = Ipv4::parse(endpoint.ipv4);
  // Containers on "host" have their ports already, those on "none" and internal networks are not to be
  // reached.
  if (wanted.empty() || !network.is_bridge() || network.record.shown.internal || !container_address)
    return std::vector<PortBinding>();
  const auto context = fmt::format("driver failed programming external connectivity on endpoint {} ({})",
                                   endpoint.container_name, endpoint.id);
  std::vector<PublishedPort> taken;
  UndoStack undo;
  undo.add([&]() NO_THREAD_SAFETY_ANALYSIS {
    for (const auto& port : taken) reservations_.release(port);
  });
  for (const auto& each : wanted) {
    const std::string& host = each.host_address;
    const auto address = host.empty() ? network.options.host_binding : Ipv4::parse(host);
    if (!address && host.find(':') != std::string::npos)
      return fail(Kind::Unsupported, "{}: this engine publishes on IPv4 addresses only, not on {}", context,
                  host);
    if (!address) return fail(Kind::InvalidArgument, "invalid IP address: {}", host);
    taken.push_back(TRY_CONTEXT(reservations_.reserve(each, *address, *container_address), "{}", context));
  }
  TRY_CONTEXT(change_firewall([&](sys::NftBatch& batch) { firewall::add_ports(batch, taken); }), "{}",
              context);
  undo.add([&]() NO_THREAD_SAFETY_ANALYSIS {
    const auto undone = change_firewall([&](sys::NftBatch& batch) { firewall::remove_ports(batch, taken); });
    if (!undone.ok()) log::warning("{}", undone.error().message());
  });
  PortRecord record = ports_.contains(endpoint.container) ? ports_.at(endpoint.container) : PortRecord{};
  record.network = endpoint.network;
  record.ports.insert(record.ports.end(), taken.begin(), taken.end());
  TRY(put(kPortTable, endpoint.container, json::encode(record), Durability::Relaxed));
  undo.dismiss();
  ports_[endpoint.container] = std::move(record);
  return bindings(taken);
}

Result<void> ServiceImpl::erase_ports(const std::string& container) {
  const auto found = ports_.find(container);
  if (found == ports_.end()) return {};
  const auto ports = found->second.ports;
  TRY(change_firewall([&](sys::NftBatch& batch) { firewall::remove_ports(batch, ports); }));
  for (const auto& port : ports) reservations_.release(port);
  ports_.erase(found);
  return erase(kPortTable, container, Durability::Relaxed);
}

Result<void> ServiceImpl::unpublish(const std::string& container) {
  const MutexLock lock(mutex_);
  return erase_ports(container);
}

Result<std::vector<PortBinding>> ServiceImpl::published(const std::string& container) {
  const MutexLock lock(mutex_);
  const auto found = ports_.find(container);
  return found == ports_.end() ? std::vector<PortBinding>() : bindings(found->second.ports);
}

Result<std::vector<sys::Fd>> ServiceImpl::open_dns(const std::string& container,
                                                   const sys::Fd& network_namespace) {
  return TRY_CONTEXT(kernel_->open_dns(network_namespace), "DNS of {}", short_id(container));
}

Result<void> ServiceImpl::serve_dns(const std::string& container, std::vector<sys::Fd> sockets,
                                    const std::vector<std::string>& servers) {
  return dns_.serve(container, std::move(sockets), upstream_servers(config_, servers, host_resolv_conf()));
}

void ServiceImpl::stop_dns(const std::string& container) { dns_.stop(container); }

bool ServiceImpl::has_dns(const std::string& name) {
  const MutexLock lock(mutex_);
  const auto network = find(name);
  return network.ok() && (*network)->is_bridge() && (*network)->record.shown.name != "bridge";
}

bool ServiceImpl::has_chosen_subnet(const std::string& name) {
  const MutexLock lock(mutex_);
  const auto network = find(name);
  return network.ok() && (*network)->record.own_subnet;
}

std::string ServiceImpl::host_gateway() {
  const MutexLock lock(mutex_);
  const Network* network = default_bridge();
  return network ? network->gateway.text() : "";
}

Result<void> ServiceImpl::reconcile(const std::vector<std::string>& alive) {
  const MutexLock lock(mutex_);
  const std::set<std::string> living(alive.begin(), alive.end());
  std::vector<SeatKey> dead;
  std::set<std::string> links_in_use;
  for (auto& [key, seat] : seats_) {
    if (!living.contains(key.first)) {
      dead.push_back(key);
      continue;
    }
    mark(seat.record.endpoint, true);
    links_in_use.insert(host_link(seat.record.endpoint));
  }
  for (const auto& key : dead) TRY(erase_seat(key));
  std::vector<std::string> gone;
  for (const auto& [container, record] : ports_)
    if (!living.contains(container)) gone.push_back(container);
  for (const auto& container : gone) TRY(erase_ports(container));
  for (const auto& link : TRY(kernel_->ports_of(links())))
    if (!links_in_use.contains(link)) TRY(kernel_->remove_link(link));
  return {};
}

}  // namespace skiff::network
