#include "engine/networks.h"

#include "base/undo.h"
#include "engine/container.h"
#include "engine/events.h"
#include "engine/network_setup.h"

namespace skiff::engine {
namespace {

bool is_predefined(const std::string& name) { return name == "bridge" || name == "host" || name == "none"; }

bool type_matches(const Filters& filters, const spec::docker::NetworkInspect& network) {
  if (!filters.has("type")) return true;
  return filters.exact("type", is_predefined(network.name) ? "builtin" : "custom");
}

/// Puts a running container on a network, link and names included.
Result<void> plug_running(Parts& parts, Container& container, const Definition& definition,
                          const std::string& network, const spec::docker::EndpointSettings& settings) {
  const auto task = TRY(running_task(container));
  const auto space = TRY(task->network_namespace());
  const auto endpoint = TRY(parts.networks.allocate(endpoint_request(definition, network, settings)));
  UndoStack undo;  // behind all that its steps refer to
  undo.add([&] { (void)parts.networks.release(container.id, endpoint.network); });
  TRY(parts.networks.plug(endpoint, space));
  undo.add([&] { (void)parts.networks.unplug(endpoint, &space); });
  const auto served = task->kept("dns");
  if (parts.networks.has_dns(endpoint.network) && (!served.ok() || served->empty())) {
    auto sockets = TRY(parts.networks.open_dns(container.id, space));
    std::vector<int> numbers;
    for (const auto& socket : sockets) numbers.push_back(socket.get());
    TRY(task->keep("dns", numbers));
    TRY(parts.networks.serve_dns(container.id, std::move(sockets), definition.host.dns));
  }
  TRY(follow_network(parts, definition, endpoint, true));
  undo.dismiss();
  return {};
}

}  // namespace

Result<std::vector<spec::docker::NetworkInspect>> Networks::list(const Filters& filters) {
  TRY(filters.check({"dangling", "driver", "id", "label", "name", "scope", "type"}));
  for (const std::string& type : filters.values("type"))
    if (type != "builtin" && type != "custom")
      return fail(Kind::InvalidArgument, "invalid filter: 'type'='{}'", type);
  const bool by_use = filters.has("dangling");
  const bool dangling = TRY(filters.boolean("dangling", false));
  std::vector<spec::docker::NetworkInspect> list;
  for (auto& network : TRY(parts_.networks.list())) {
    if (!filters.pattern("name", network.name) || !filters.prefix("id", network.id) ||
        !filters.exact("driver", network.driver) || !filters.exact("scope", network.scope) ||
        !filters.labels(network.labels) || !type_matches(filters, network))
      continue;
    if (by_use && (network.containers.empty() && !is_predefined(network.name)) != dangling) continue;
    network.containers.clear();  // the list leaves them out, inspect shows them
    list.push_back(std::move(network));
  }
  return list;
}

Result<spec::docker::NetworkInspect> Networks::inspect(std::string_view name) {
  return parts_.networks.inspect(name);
}

Result<spec::docker::NetworkCreated> Networks::create(const spec::docker::NetworkCreate& request) {
  const std::string id = TRY(parts_.networks.create(request));
  const std::string driver = request.driver.empty() ? "bridge" : request.driver;
  events_.publish("network", "create", id, {{"name", request.name}, {"type", driver}});
  return spec::docker::NetworkCreated{id, ""};
}

Result<void> Networks::remove(std::string_view name) {
  const auto network = TRY(parts_.networks.inspect(name));
  TRY(parts_.networks.remove(name));
  events_.publish("network", "destroy", network.id, {{"name", network.name}, {"type", network.driver}});
  return {};
}

Result<void> Networks::connect(std::string_view name, std::string_view container_name,
                               const spec::docker::EndpointSettings& settings) {
  const auto container = TRY(set_.find(container_name));
  const auto network = TRY(parts_.networks.inspect(name));
  const MutexLock operation(container->operation);
  const Definition definition = container->definition_now();
  const std::string& mode = definition.host.network_mode;
  if (mode == "host" || mode.starts_with("container:") || network.name == "host") {
    return Error(
        Kind::InvalidArgument,
        network.name == "host"
            ? "cannot connect container to host network - container must be created in host network mode"
            : "container sharing network namespace with another container or host cannot be connected to any "
              "other network");
  }
  if (mode == "none" || network.name == "none")
    return Error(
        Kind::InvalidArgument,
        "container cannot be connected to multiple networks with one of the networks in private (none) mode");
  if (definition.endpoints.contains(network.name)) {
    return fail(Kind::Forbidden, "endpoint with name {} already exists in network {}", definition.name,
                network.name);
  }
  if (is_running(container->state_now()))
    TRY(plug_running(parts_, *container, definition, network.id, settings));
  {
    const MutexLock lock(container->mutex);
    container->definition.endpoints[network.name] = settings;
  }
  TRY(set_.store_definition(*container));
  events_.publish("network", "connect", network.id,
                  {{"container", container->id}, {"name", network.name}, {"type", network.driver}});
  return {};
}

Result<void> Networks::disconnect(std::string_view name, std::string_view container_name, bool force) {
  const auto network = TRY(parts_.networks.inspect(name));
  const auto found = set_.find(container_name);
  if (!found.ok()) return found.error();
  const auto& container = *found;
  const MutexLock operation(container->operation);
  const Definition definition = container->definition_now();
  if (definition.host.network_mode == "host" && network.name == "host")
    return Error(Kind::InvalidArgument,
                 "container cannot be disconnected from host network - container is not connected to the "
                 "network host");
  if (!definition.endpoints.contains(network.name) && !force)
    return fail(Kind::Forbidden, "container {} is not connected to network {}", container->id, network.name);
  if (is_running(container->state_now())) {
    const auto task = TRY(running_task(*container));
    const auto space = TRY(task->network_namespace());
    for (const auto& endpoint : TRY(parts_.networks.endpoints(container->id))) {
      if (endpoint.network != network.id) continue;
      TRY(parts_.networks.unplug(endpoint, &space));
      TRY(parts_.networks.release(container->id, endpoint.network));
      TRY(follow_network(parts_, definition, endpoint, false));
    }
  }
  {
    const MutexLock lock(container->mutex);
    container->definition.endpoints.erase(network.name);
  }
  TRY(set_.store_definition(*container));
  events_.publish("network", "disconnect", network.id,
                  {{"container", container->id}, {"name", network.name}, {"type", network.driver}});
  return {};
}

Result<spec::docker::NetworkPruneReport> Networks::prune(const Filters& filters) {
  TRY(filters.check({"label", "label!", "until"}));
  std::optional<Time> until;
  for (const std::string& text : filters.values("until")) {
    until = parse_timestamp(text, now());
    if (!until) return fail(Kind::InvalidArgument, "invalid filter 'until={}'", text);
  }
  spec::docker::NetworkPruneReport report;
  std::vector<std::pair<std::string, std::map<std::string, std::string>>> gone;
  report.networks_deleted = TRY(parts_.networks.prune([&](const spec::docker::NetworkInspect& network) {
    if (!filters.labels(network.labels) || (until && network.created > *until)) return false;
    gone.push_back({network.id, {{"name", network.name}, {"type", network.driver}}});
    return true;
  }));
  for (const auto& [id, attributes] : gone) events_.publish("network", "destroy", id, attributes);
  events_.publish("network", "prune", "", {{"reclaimed", "0"}});
  return report;
}

}  // namespace skiff::engine
