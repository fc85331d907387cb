#include "engine/container_views.h"

#include "base/strings.h"
#include "engine/create_request.h"
#include "engine/network_setup.h"

namespace skiff::engine {
namespace {

std::string health_text(const spec::docker::Health& health) {
  return health.status == "starting" ? "health: starting" : health.status;
}

}  // namespace

std::string status_text(const RunState& run, Time at) {
  const auto since = [&](Time time) { return human_duration(at - time); };
  switch (run.state) {
    case State::Created:
      return "Created";
    case State::Removing:
      return "Removal In Progress";
    case State::Dead:
      return "Dead";
    case State::Paused:
      return fmt::format("Up {} (Paused)", since(run.started_at));
    case State::Restarting:
      return fmt::format("Restarting ({}) {} ago", run.exit_code, since(run.finished_at));
    case State::Running:
      if (run.health) return fmt::format("Up {} ({})", since(run.started_at), health_text(*run.health));
      return fmt::format("Up {}", since(run.started_at));
    case State::Exited:
      if (run.started_at == Time{}) return "Created";
      return fmt::format("Exited ({}) {} ago", run.exit_code, since(run.finished_at));
  }
  return "";
}

std::string command_text(const Definition& definition) {
  std::string text = definition.path;
  for (const std::string& word : definition.args) {
    text += ' ';
    text += word.find(' ') == std::string::npos ? word : "'" + word + "'";
  }
  return text;
}

std::vector<spec::docker::Port> port_list(const Definition& definition, const RunState& run) {
  std::vector<spec::docker::Port> ports;
  if (!is_running(run.state)) return ports;
  for (const auto& [name, bindings] : run.ports) {
    const auto range = parse_port(name);
    if (!range.ok()) continue;
    for (const auto& binding : bindings) {
      ports.push_back({binding.host_ip, range->first,
                       static_cast<std::uint16_t>(parse_uint(binding.host_port).value_or(0)),
                       range->protocol});
    }
  }
  for (const auto& [name, unused] : definition.config.exposed_ports) {
    const auto range = parse_port(name);
    if (!range.ok() || run.ports.contains(name)) continue;
    for (int port = range->first; port <= range->last; ++port)
      ports.push_back({"", static_cast<std::uint16_t>(port), 0, range->protocol});
  }
  return ports;
}

spec::docker::ContainerState shown_state(const RunState& run) {
  spec::docker::ContainerState state;
  state.status = to_string(run.state);
  state.running = is_running(run.state) || run.state == State::Restarting;
  state.paused = run.state == State::Paused;
  state.restarting = run.state == State::Restarting;
  state.dead = run.state == State::Dead;
  state.oom_killed = run.oom_killed;
  state.pid = run.pid;
  state.exit_code = run.exit_code;
  state.error = run.error;
  state.started_at = run.started_at;
  state.finished_at = run.finished_at;
  state.health = run.health;
  return state;
}

std::vector<spec::docker::MountPoint> shown_mounts(const Definition& definition) {
  std::vector<spec::docker::MountPoint> mounts;
  for (const ContainerMount& mount : definition.mounts) mounts.push_back(mount.point);
  return mounts;
}

std::map<std::string, spec::docker::EndpointSettings> shown_endpoints(
    const Definition& definition, const std::vector<network::Endpoint>& endpoints) {
  std::map<std::string, spec::docker::EndpointSettings> shown;
  for (const auto& [name, wanted] : definition.endpoints) {
    const network::Endpoint* got = nullptr;
    for (const auto& endpoint : endpoints)
      if (endpoint.network_name == name || endpoint.network == name) got = &endpoint;
    shown[got ? got->network_name : name] = shown_endpoint(wanted, got);
  }
  return shown;
}

spec::docker::NetworkSettings shown_network(const Definition& definition, const RunState& run,
                                            const std::vector<network::Endpoint>& endpoints) {
  spec::docker::NetworkSettings settings;
  settings.networks = shown_endpoints(definition, endpoints);
  if (!is_running(run.state)) return settings;
  settings.sandbox_id = definition.id;
  settings.sandbox_key = run.pid > 0 ? fmt::format("/proc/{}/ns/net", run.pid) : "";
  settings.ports = run.ports;
  if (definition.host.network_mode != "host")
    for (const auto& [port, unused] : definition.config.exposed_ports) settings.ports.try_emplace(port);
  if (const auto bridge = settings.networks.find("bridge"); bridge != settings.networks.end()) {
    settings.endpoint_id = bridge->second.endpoint_id;
    settings.gateway = bridge->second.gateway;
    settings.ip_address = bridge->second.ip_address;
    settings.ip_prefix_len = bridge->second.ip_prefix_len;
    settings.mac_address = bridge->second.mac_address;
  }
  return settings;
}

}  // namespace skiff::engine
