#include "engine/create_request.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "engine/log_options.h"
#include "engine/network_probe.h"
#include "engine/runtimes.h"
#include "engine/signals.h"
#include "spec/defaults.h"

namespace skiff::engine {
namespace {

using spec::docker::HostConfig;

template <typename... Args>
Error invalid(fmt::format_string<Args...> format, Args&&... args) {
  return fail(Kind::InvalidArgument, format, std::forward<Args>(args)...);
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

std::string_view key_of(std::string_view variable) { return cut(variable, '=').first; }

void merge_environment(std::vector<std::string>& own, const std::vector<std::string>& image) {
  for (const std::string& variable : image) {
    const auto same = [&](const std::string& mine) { return key_of(mine) == key_of(variable); };
    if (std::none_of(own.begin(), own.end(), same)) own.push_back(variable);
  }
}

void merge_health(std::optional<spec::oci::HealthConfig>& own,
                  const std::optional<spec::oci::HealthConfig>& image) {
  if (!image) return;
  if (!own) {
    own = image;
    return;
  }
  if (own->test.empty()) own->test = image->test;
  if (own->interval == 0) own->interval = image->interval;
  if (own->timeout == 0) own->timeout = image->timeout;
  if (own->start_period == 0) own->start_period = image->start_period;
  if (own->start_interval == 0) own->start_interval = image->start_interval;
  if (own->retries == 0) own->retries = image->retries;
  if (own->restart_unhealthy == 0) own->restart_unhealthy = image->restart_unhealthy;
}

Result<void> check_health(const spec::oci::HealthConfig& health) {
  constexpr std::int64_t kLeast = 1'000'000;
  const std::array<std::pair<std::string_view, std::int64_t>, 4> durations = {{
      {"Interval", health.interval},
      {"Timeout", health.timeout},
      {"StartPeriod", health.start_period},
      {"StartInterval", health.start_interval},
  }};
  for (const auto& [name, value] : durations)
    if (value != 0 && value < kLeast) return invalid("{} in Healthcheck cannot be less than 1ms", name);
  if (health.retries < 0) return Error(Kind::InvalidArgument, "Retries in Healthcheck cannot be negative");
  if (health.restart_unhealthy < 0)
    return Error(Kind::InvalidArgument, "RestartUnhealthy in Healthcheck cannot be negative");
  TRY(parse_network_probe(health.test));
  return {};
}

Result<void> check_memory(const spec::docker::Resources& r) {
  constexpr std::int64_t kLeast = 6 << 20;
  if (r.memory != 0 && r.memory < kLeast) return invalid("Minimum memory limit allowed is 6MB");
  if (r.memory > 0 && r.memory_swap > 0 && r.memory_swap < r.memory)
    return invalid("Minimum memoryswap limit should be larger than memory limit, see usage");
  if (r.memory == 0 && r.memory_swap > 0)
    return invalid("You should always set the Memory limit when using Memoryswap limit, see usage");
  if (r.memory_swappiness && (*r.memory_swappiness < -1 || *r.memory_swappiness > 100))
    return invalid("Invalid value: {}, valid memory swappiness range is 0-100", *r.memory_swappiness);
  if (r.memory_reservation > 0 && r.memory_reservation < kLeast)
    return invalid("Minimum memory reservation allowed is 6MB");
  if (r.memory > 0 && r.memory_reservation > 0 && r.memory < r.memory_reservation)
    return invalid("Minimum memory limit can not be less than memory reservation limit, see usage");
  return {};
}

Result<void> check_cpu(const spec::docker::Resources& r, const HostFacts& facts) {
  if (r.cpu_shares < 0)
    return invalid("invalid CPU shares ({}): value must be a positive integer", r.cpu_shares);
  if (r.nano_cpus > 0 && r.cpu_period > 0)
    return invalid("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  if (r.nano_cpus > 0 && r.cpu_quota > 0)
    return invalid("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  if (r.nano_cpus < 0 || r.nano_cpus > facts.cpus * 1'000'000'000LL)
    return invalid("range of CPUs is from 0.01 to {}.00, as there are only {} CPUs available", facts.cpus,
                   facts.cpus);
  if (r.cpu_period != 0 && (r.cpu_period < 1000 || r.cpu_period > 1'000'000))
    return invalid("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)");
  if (r.cpu_quota > 0 && r.cpu_quota < 1000)
    return invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)");
  bool valid = true;
  if (!cpuset_contains(r.cpuset_cpus, facts.online_cpus, &valid)) {
    if (!valid) return invalid("Invalid value {0} for cpuset cpus: invalid format: {0}", r.cpuset_cpus);
    return invalid("Requested CPUs are not available - requested {}, available: {}", r.cpuset_cpus,
                   facts.online_cpus);
  }
  if (!cpuset_contains(r.cpuset_mems, facts.online_mems, &valid)) {
    if (!valid) return invalid("Invalid value {0} for cpuset mems: invalid format: {0}", r.cpuset_mems);
    return invalid("Requested memory nodes are not available - requested {}, available: {}", r.cpuset_mems,
                   facts.online_mems);
  }
  return {};
}

Result<void> check_modes(const HostConfig& host) {
  const auto joins = [](const std::string& mode) { return mode.starts_with("container:"); };
  if (!one_of(host.pid_mode, {"", "host", "private"}) && !joins(host.pid_mode))
    return invalid("invalid PID mode: {}", host.pid_mode);
  if (!one_of(host.ipc_mode, {"", "host", "private", "shareable", "none"}) && !joins(host.ipc_mode))
    return invalid("invalid IPC mode: {}", host.ipc_mode);
  if (!one_of(host.uts_mode, {"", "host", "private"})) return invalid("invalid UTS mode: {}", host.uts_mode);
  if (!one_of(host.userns_mode, {"", "host"}))
    return invalid("invalid user namespace mode: {}", host.userns_mode);
  if (!one_of(host.cgroupns_mode, {"", "host", "private"}))
    return invalid("invalid cgroup namespace mode: {}", host.cgroupns_mode);
  for (const std::string& mode : {host.pid_mode, host.ipc_mode, host.network_mode})
    if (mode == "container:") return invalid("invalid container format container:<name|id>");
  if (joins(host.network_mode) && !host.port_bindings.empty())
    return invalid("conflicting options: port publishing and the container type network mode");
  if (joins(host.network_mode) && (!host.links.empty()))
    return invalid(
        "conflicting options: container type network can't be used with links. This would result in "
        "undefined behavior");
  if (host.network_mode == "host" && !host.links.empty())
    return invalid(
        "conflicting options: host type networking can't be used with links. This would result in undefined "
        "behavior");
  return {};
}

Result<void> check_ports(const spec::docker::PortMap& bindings) {
  for (const auto& [port, list] : bindings) {
    TRY(parse_port(port));
    for (const auto& binding : list) {
      if (binding.host_port.empty()) continue;
      const auto [low, high] = cut(binding.host_port, '-');
      const auto first = parse_uint(low);
      const auto last = high ? parse_uint(*high) : first;
      if (!first || !last || *first > *last || *last > 65535)
        return invalid("invalid port specification: \"{}\"", binding.host_port);
    }
  }
  return {};
}

}  // namespace

std::string_view container_mode(std::string_view mode) {
  constexpr std::string_view kPrefix = "container:";
  return mode.starts_with(kPrefix) ? mode.substr(kPrefix.size()) : std::string_view();
}

Result<SecurityOptions> parse_security_options(const std::vector<std::string>& options) {
  SecurityOptions result;
  for (const std::string& option : options) {
    if (option == "no-new-privileges") {
      result.no_new_privileges = true;
      continue;
    }
    const char separator = option.find('=') != std::string::npos ? '=' : ':';
    const auto [name, value] = cut(option, separator);
    if (!value) return invalid("invalid --security-opt 1: {}", quote(option));
    if (name == "no-new-privileges") {
      if (!one_of(*value, {"true", "false", "1", "0"}))
        return invalid("invalid --security-opt 2: {}", quote(option));
      result.no_new_privileges = *value == "true" || *value == "1";
    } else if (name == "seccomp") {
      result.unconfined = *value == "unconfined";
      result.seccomp_profile = result.unconfined || *value == "builtin" ? std::string() : std::string(*value);
    } else if (name == "systempaths") {
      if (*value != "unconfined") return invalid("invalid --security-opt 2: {}", quote(option));
      result.system_paths_unconfined = true;
    } else if (name != "apparmor" && name != "label" && name != "writable-cgroups") {
      return invalid("invalid --security-opt 2: {}", quote(option));
    }
  }
  return result;
}

Result<PortRange> parse_port(std::string_view text) {
  const auto [ports, protocol] = cut(text, '/');
  PortRange range;
  if (protocol) range.protocol = to_lower(*protocol);
  if (!one_of(range.protocol, {"tcp", "udp", "sctp"})) return invalid("invalid proto: {}", range.protocol);
  const auto [low, high] = cut(ports, '-');
  const auto first = parse_uint(low);
  const auto last = high ? parse_uint(*high) : first;
  if (!first || !last || *first > *last || *last > 65535 || *first == 0)
    return invalid("invalid port specification: \"{}\"", text);
  range.first = static_cast<std::uint16_t>(*first);
  range.last = static_cast<std::uint16_t>(*last);
  return range;
}

void merge_config(spec::docker::ContainerConfig& config, const spec::oci::ImageConfig& image) {
  if (config.user.empty()) config.user = image.user;
  config.exposed_ports.insert(image.exposed_ports.begin(), image.exposed_ports.end());
  config.volumes.insert(image.volumes.begin(), image.volumes.end());
  config.labels.insert(image.labels.begin(), image.labels.end());
  merge_environment(config.env, image.env);
  if (!config.entrypoint || config.entrypoint->empty()) {
    if (config.cmd.empty()) {
      config.cmd = image.cmd;
      config.args_escaped = image.args_escaped;
    }
    if (!config.entrypoint && !image.entrypoint.empty()) config.entrypoint = image.entrypoint;
  }
  merge_health(config.healthcheck, image.healthcheck);
  if (config.working_dir.empty()) config.working_dir = image.working_dir;
  if (config.stop_signal.empty()) config.stop_signal = image.stop_signal;
  if (config.shell.empty()) config.shell = image.shell;
  if (config.on_build.empty()) config.on_build = image.on_build;
  if (config.entrypoint && config.entrypoint->size() == 1 && config.entrypoint->front().empty())
    config.entrypoint.reset();
}

Result<void> merge_image(spec::docker::ContainerConfig& config, const spec::oci::ImageConfig& image) {
  merge_config(config, image);
  if ((!config.entrypoint || config.entrypoint->empty()) && config.cmd.empty())
    return Error(Kind::InvalidArgument, "no command specified");
  return {};
}

Result<void> check_config(const spec::docker::ContainerConfig& config) {
  if (!config.working_dir.empty() && config.working_dir[0] != '/')
    return invalid("the working directory '{}' is invalid, it needs to be an absolute path",
                   config.working_dir);
  if (!config.stop_signal.empty()) TRY(parse_signal(config.stop_signal));
  for (const std::string& variable : config.env)
    if (variable.empty() || variable[0] == '=') return invalid("invalid environment variable: {}", variable);
  for (const auto& [port, unused] : config.exposed_ports) TRY(parse_port(port));
  for (const auto& [path, unused] : config.volumes)
    if (path.empty() || path[0] != '/') return invalid("invalid volume specification: '{}'", path);
  if (config.healthcheck) TRY(check_health(*config.healthcheck));
  return {};
}

Result<void> check_restart_policy(const spec::docker::RestartPolicy& policy, bool auto_remove) {
  const bool none = policy.name.empty() || policy.name == "no";
  if (auto_remove && !none) return invalid("can't create 'AutoRemove' container with restart policy");
  if (!none && !one_of(policy.name, {"always", "on-failure", "unless-stopped"})) {
    return invalid(
        "invalid restart policy: unknown policy '{}'; use one of 'no', 'always', 'on-failure', or "
        "'unless-stopped'",
        policy.name);
  }
  if (policy.maximum_retry_count < 0)
    return invalid("invalid restart policy: maximum retry count cannot be negative");
  if (policy.maximum_retry_count > 0 && policy.name != "on-failure")
    return invalid("invalid restart policy: maximum retry count can only be used with 'on-failure'");
  return {};
}

std::vector<std::string> discard_unsupported(spec::docker::Resources& resources, const HostFacts& facts) {
  std::vector<std::string> warnings;
  // No limit and "unlimited" are one thing.
  if (resources.pids_limit.value_or(0) <= 0) resources.pids_limit.reset();
  if (resources.oom_kill_disable.value_or(false) && resources.memory == 0)
    warnings.emplace_back(
        "OOM killer is disabled for the container, but no memory limit is set, this can result in the system "
        "running out of resources.");
  if (resources.blkio_weight > 0 && !facts.blkio_weight) {
    warnings.emplace_back(
        "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.");
    resources.blkio_weight = 0;
  }
  return warnings;
}

Result<void> check_combination(const spec::docker::ContainerConfig& config, const HostConfig& host) {
  if (host.uts_mode == "host" && !config.hostname.empty())
    return invalid("conflicting options: hostname and the UTS mode");
  if (container_mode(host.network_mode).empty()) return {};
  if (!config.hostname.empty()) return invalid("conflicting options: hostname and the network mode");
  if (!host.dns.empty()) return invalid("conflicting options: dns and the network mode");
  if (!host.extra_hosts.empty())
    return invalid("conflicting options: custom host-to-IP mapping and the network mode");
  if (!config.mac_address.empty()) return invalid("conflicting options: mac-address and the network mode");
  if (!config.exposed_ports.empty())
    return invalid("conflicting options: port exposing and the container type network mode");
  return {};
}

Result<void> check_resources(const spec::docker::Resources& resources, const HostFacts& facts) {
  TRY(check_memory(resources));
  TRY(check_cpu(resources, facts));
  if (resources.blkio_weight != 0 && (resources.blkio_weight < 10 || resources.blkio_weight > 1000))
    return invalid("Range of blkio weight is from 10 to 1000");
  if (!resources.device_requests.empty())
    return invalid("could not select device driver \"{}\" with capabilities: {}",
                   resources.device_requests[0].driver, "[[gpu]]");
  return {};
}

Result<void> check_host_config(const HostConfig& host, const spec::EngineConfig& engine,
                               const HostFacts& facts) {
  TRY(check_restart_policy(host.restart_policy, host.auto_remove));
  TRY(check_ports(host.port_bindings));
  TRY(check_resources(host.resources, facts));
  TRY(check_modes(host));
  const auto log = effective_log_config(host.log_config, engine);
  TRY(check_log_options(log.type, log.config));
  TRY(parse_security_options(host.security_opt));
  TRY(spec::effective_capabilities(host.cap_add, host.cap_drop, host.privileged));
  if (host.shm_size < 0) return invalid("SHM size can not be less than 0");
  if (host.oom_score_adj < -1000 || host.oom_score_adj > 1000)
    return invalid("Invalid value {}, range for oom score adj is [-1000, 1000]", host.oom_score_adj);
  for (const std::string& entry : host.extra_hosts)
    if (entry.find_first_of(":=") == std::string::npos)
      return invalid("bad format for add-host: {}", quote(entry));
  TRY(spec::check_cgroup_parent(engine, host.resources.cgroup_parent));
  TRY(find_runtime(engine, host.runtime));
  if (!host.isolation.empty() && host.isolation != "default")
    return invalid("invalid isolation ({}): linux only supports 'default'", host.isolation);
  if (host.annotations.contains(""))
    return invalid("invalid Annotations: the empty string is not permitted as an annotation key");
  if (!host.storage_opt.empty())
    return invalid("--storage-opt is supported only for overlay over xfs with 'pquota' mount option");
  return {};
}

void fill_defaults(HostConfig& host, const spec::EngineConfig& engine, const HostFacts& facts) {
  auto& r = host.resources;
  if (r.memory > 0 && r.memory_swap == 0) r.memory_swap = r.memory > INT64_MAX / 2 ? -1 : r.memory * 2;
  if (r.memory_swappiness && *r.memory_swappiness == -1) r.memory_swappiness.reset();
  if (!r.oom_kill_disable) r.oom_kill_disable = false;
  if (host.shm_size == 0) host.shm_size = 64 << 20;
  if (host.ipc_mode.empty()) host.ipc_mode = "private";
  if (host.cgroupns_mode.empty())
    host.cgroupns_mode = facts.cgroup_v2 && !host.privileged ? "private" : "host";
  if (host.network_mode.empty() || host.network_mode == "default")
    host.network_mode = engine.bridge == "none" ? "none" : "bridge";
  if (host.restart_policy.name.empty()) host.restart_policy.name = "no";
  if (host.runtime.empty()) host.runtime = engine.default_runtime;
  host.log_config = effective_log_config(std::move(host.log_config), engine);
  if (host.privileged) {
    host.masked_paths.emplace();
    host.readonly_paths.emplace();
  } else {
    if (!host.masked_paths) host.masked_paths = spec::default_masked_paths();
    if (!host.readonly_paths) host.readonly_paths = spec::default_readonly_paths();
  }
}

}  // namespace skiff::engine
