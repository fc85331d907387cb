#include "cli/container_options.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "cli/specs/mounts.h"
#include "cli/specs/ports.h"
#include "cli/specs/values.h"
#include "sys/file.h"

namespace skiff::cli {

namespace docker = spec::docker;

Result<docker::ContainerCreate> ContainerOptions::build(FlagSet& flags,
                                                        const std::vector<std::string>& arguments) const {
  docker::ContainerCreate request;
  TRY(fill_config(flags, request.config));
  TRY(fill_host(flags, request.host_config));
  request.config.image = arguments[0];
  request.config.cmd.assign(arguments.begin() + 1, arguments.end());
  if (flags.changed("entrypoint")) request.config.entrypoint = {entrypoint_};

  PublishedPorts ports;
  for (const auto& text : publish_) TRY(add_published_port(text, ports));
  for (const auto& text : expose_) TRY(add_exposed_port(text, ports));
  request.config.exposed_ports = std::move(ports.exposed);
  request.host_config.port_bindings = std::move(ports.bindings);

  for (const auto& text : volumes_) {
    const VolumeSpec volume = TRY(parse_volume(text));
    if (volume.bind)
      request.host_config.binds.push_back(volume.text);
    else
      request.config.volumes[volume.text];
  }
  TRY(fill_networks(request));
  return request;
}

Result<void> ContainerOptions::fill_config(FlagSet& flags, docker::ContainerConfig& config) const {
  config.hostname = hostname_;
  config.domainname = domainname_;
  config.user = user_;
  config.working_dir = workdir_;
  config.tty = tty;
  config.open_stdin = interactive;
  const auto attached = [&](std::string_view stream) {
    return std::find(attach.begin(), attach.end(), stream) != attach.end();
  };
  config.attach_stdin = attach.empty() ? interactive : attached("stdin");
  config.attach_stdout = attach.empty() || attached("stdout");
  config.attach_stderr = attach.empty() || attached("stderr");
  config.stdin_once = config.open_stdin && config.attach_stdin;
  config.stop_signal = stop_signal_;
  if (flags.changed("stop-timeout")) config.stop_timeout = static_cast<int>(stop_timeout_);
  config.mac_address = mac_;
  TRY(fill_environment(config));
  return fill_health(flags, config);
}

Result<void> ContainerOptions::fill_environment(docker::ContainerConfig& config) const {
  for (const auto& file : env_files_)
    for (auto& line : TRY(read_variables(file, "env", true))) config.env.push_back(std::move(line));
  config.env.insert(config.env.end(), env_.begin(), env_.end());
  std::vector<std::string> labels;
  for (const auto& file : label_files_)
    for (auto& line : TRY(read_variables(file, "label", false))) labels.push_back(std::move(line));
  labels.insert(labels.end(), labels_.begin(), labels_.end());
  config.labels = to_map(labels);
  return {};
}

Result<void> ContainerOptions::fill_health(FlagSet& flags, docker::ContainerConfig& config) const {
  const std::pair<std::string_view, std::int64_t> times[] = {
      {"health-interval", health_interval_},         {"health-timeout", health_timeout_},
      {"health-retries", health_retries_},           {"restart-unhealthy", restart_unhealthy_},
      {"health-start-period", health_start_period_}, {"health-start-interval", health_start_interval_}};
  const auto kinds = !health_command_.empty() + !health_http_.empty() + !health_tcp_.empty();
  const bool any = kinds > 0 || std::any_of(std::begin(times), std::end(times),
                                            [](const auto& time) { return time.second != 0; });
  if (no_health_) {
    if (any) return Error(Kind::InvalidArgument, "--no-healthcheck conflicts with --health-* options");
    config.healthcheck.emplace().test = {"NONE"};
    return {};
  }
  if (!any) return {};
  if (kinds > 1)
    return Error(Kind::InvalidArgument, "--health-cmd, --health-http and --health-tcp exclude each other");
  for (const auto& [flag, value] : times)
    if (value < 0) return fail(Kind::InvalidArgument, "--{} cannot be negative", flag);
  auto& health = config.healthcheck.emplace();
  if (flags.changed("health-cmd")) health.test = {"CMD-SHELL", health_command_};
  if (!health_http_.empty()) health.test = {"HTTP", health_http_};
  if (!health_tcp_.empty()) health.test = {"TCP", health_tcp_};
  health.interval = health_interval_;
  health.timeout = health_timeout_;
  health.start_period = health_start_period_;
  health.start_interval = health_start_interval_;
  health.retries = static_cast<int>(health_retries_);
  health.restart_unhealthy = static_cast<int>(restart_unhealthy_);
  return {};
}

Result<void> ContainerOptions::fill_host(FlagSet& flags, docker::HostConfig& host) const {
  host.restart_policy = TRY(parse_restart_policy(restart_));
  host.auto_remove = auto_remove;
  if (auto_remove && host.restart_policy.name != "no" && !host.restart_policy.name.empty())
    return Error(Kind::InvalidArgument, "conflicting options: cannot specify both --restart and --rm");
  const auto mode = [](std::string_view flag, std::string_view kind, const std::string& value,
                       std::initializer_list<std::string_view> allowed) -> Result<void> {
    if (value.empty() || std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return {};
    if (flag == "pid" && value.starts_with("container:") && value.size() > 10) return {};
    return fail(Kind::InvalidArgument, "--{}: invalid {} mode", flag, kind);
  };
  TRY(mode("pid", "PID", pid_, {"host"}));
  TRY(mode("uts", "UTS", uts_, {"host"}));
  TRY(mode("userns", "USER", userns_, {"host"}));
  TRY(mode("cgroupns", "CGROUP", cgroupns_, {"host", "private"}));
  host.pid_mode = pid_;
  host.uts_mode = uts_;
  host.userns_mode = userns_;
  host.cgroupns_mode = cgroupns_;
  host.ipc_mode = ipc_;
  host.container_id_file = cid_file;
  host.log_config.type = log_driver_;
  host.log_config.config = to_map(log_opt_);
  if (log_driver_ == "none" && !log_opt_.empty())
    return Error(Kind::InvalidArgument, "invalid logging opts for driver none");
  host.volume_driver = volume_driver_;
  host.volumes_from = volumes_from_;
  host.annotations = annotations_;
  host.dns = dns_;
  host.dns_options = dns_options_;
  host.dns_search = dns_search_;
  host.extra_hosts = extra_hosts_;
  host.group_add = group_add_;
  host.oom_score_adj = static_cast<int>(oom_score_);
  host.publish_all_ports = publish_all_;
  host.readonly_rootfs = read_only_;
  for (const auto& option : storage_opt_)
    if (option.find('=') == std::string::npos) return Error(Kind::InvalidArgument, "invalid storage option");
  host.storage_opt = to_map(storage_opt_);
  for (const auto& text : tmpfs_) {
    const auto [path, options] = cut(text, ':');
    host.tmpfs[std::string(path)] = options.value_or("");
  }
  host.shm_size = shm_size_;
  host.sysctls = sysctls_;
  host.runtime = runtime_;
  host.isolation = isolation_;
  host.mounts = mounts_;
  if (flags.changed("init")) host.init = init_;
  TRY(fill_security(host));
  return fill_resources(flags, host.resources);
}

Result<void> ContainerOptions::fill_resources(FlagSet& flags, docker::Resources& resources) const {
  resources = resources_;
  resources.cgroup_parent = cgroup_parent_;
  resources.ulimits = ulimits_;
  resources.device_cgroup_rules = device_rules_;
  for (const auto& text : devices_) resources.devices.push_back(TRY(parse_device(text)));
  if (swappiness_ != -1 && (swappiness_ < 0 || swappiness_ > 100))
    return fail(Kind::InvalidArgument, "invalid value: {}. Valid memory swappiness range is 0-100",
                swappiness_);
  if (swappiness_ != -1) resources.memory_swappiness = swappiness_;
  if (oom_kill_disable_) resources.oom_kill_disable = true;
  if (flags.changed("pids-limit")) resources.pids_limit = pids_limit_;
  if (!gpus_.empty()) {
    docker::DeviceRequest request;
    const auto count = parse_int(gpus_);
    request.count = count ? static_cast<int>(*count) : -1;
    request.capabilities = {{"gpu"}};
    resources.device_requests.push_back(std::move(request));
  }
  return {};
}

Result<void> ContainerOptions::fill_security(docker::HostConfig& host) const {
  host.cap_add = cap_add_;
  host.cap_drop = cap_drop_;
  host.privileged = privileged_;
  for (const auto& option : security_opt_) {
    auto [key, value] = cut(option, '=');
    if (!value && option != "no-new-privileges") std::tie(key, value) = cut(option, ':');
    if (!value && option != "no-new-privileges")
      return fail(Kind::InvalidArgument, "Invalid --security-opt: {}", quote(option));
    if (key == "systempaths" && value == "unconfined") {
      host.masked_paths.emplace();
      host.readonly_paths.emplace();
      continue;
    }
    if (key == "seccomp" && value != "unconfined" && value != "builtin") {
      auto profile = sys::read_file(std::string(*value), 16 << 20);
      if (!profile.ok())
        return fail(Kind::InvalidArgument, "opening seccomp profile ({0}) failed: open {0}: {1}", *value,
                    profile.error().code() == ENOENT ? "no such file or directory"
                                                     : std::strerror(profile.error().code()));
      auto json = json::parse(*profile);
      if (!json.ok() && json.error().message().ends_with("incomplete JSON"))
        json = Error(Kind::InvalidArgument, "unexpected end of JSON input");
      const auto parsed = TRY_CONTEXT(json, "compacting json for seccomp profile ({}) failed", *value);
      host.security_opt.push_back("seccomp=" + json::to_text(parsed));
      continue;
    }
    host.security_opt.push_back(option);
  }
  return {};
}

namespace {

/// Whether endpoint settings make sense there: not for host, none and another container's stack.
bool is_user_defined(std::string_view network) {
  return network != "default" && network != "bridge" && network != "host" && network != "none" &&
         !network.starts_with("container:");
}

}  // namespace

Result<void> ContainerOptions::fill_networks(docker::ContainerCreate& request) const {
  std::vector<NetworkSpec> networks = networks_;
  if (networks.empty()) networks.emplace_back().name = "default";
  const auto defined = [](const NetworkSpec& network) { return is_user_defined(network.name); };
  const bool mixed = std::any_of(networks.begin(), networks.end(), defined) &&
                     !std::all_of(networks.begin(), networks.end(), defined);
  request.host_config.network_mode = networks[0].name;
  for (std::size_t i = 0; i < networks.size(); ++i) {
    NetworkSpec& network = networks[i];
    for (std::size_t j = 0; j < i; ++j)
      if (networks[j].name == network.name)
        return fail(Kind::InvalidArgument, "network {} is specified multiple times", quote(network.name));
    if (mixed)
      return fail(Kind::InvalidArgument,
                  "conflicting options: cannot attach both user-defined and non-user-defined network-modes");
    const bool user_defined = is_user_defined(network.name);
    docker::EndpointSettings endpoint;
    if (i == 0) {
      if (!network_aliases_.empty() && !network.aliases.empty())
        return Error(Kind::InvalidArgument,
                     "conflicting options: cannot specify both --network-alias and per-network alias");
      if (network.aliases.empty()) network.aliases = network_aliases_;
      if (network.ipv4_address.empty()) network.ipv4_address = ip_;
      if (network.ipv6_address.empty()) network.ipv6_address = ip6_;
      if (network.link_local_ips.empty()) network.link_local_ips = link_local_ips_;
      if (network.mac_address.empty()) network.mac_address = mac_;
      (user_defined ? endpoint.links : request.host_config.links) = links_;
    }
    if (!network.aliases.empty() && !user_defined)
      return Error(Kind::InvalidArgument,
                   "network-scoped aliases are only supported for user-defined networks");
    if (!network.mac_address.empty() && !is_mac_address(network.mac_address))
      return fail(Kind::InvalidArgument, "{} is not a valid mac address", network.mac_address);
    endpoint.aliases = network.aliases;
    endpoint.driver_opts = network.driver_options;
    endpoint.mac_address = network.mac_address;
    endpoint.gw_priority = network.gw_priority;
    if (!network.ipv4_address.empty() || !network.ipv6_address.empty() || !network.link_local_ips.empty())
      endpoint.ipam_config =
          docker::EndpointIpamConfig{network.ipv4_address, network.ipv6_address, network.link_local_ips};
    // The engine knows what the default network needs; only what was asked for travels.
    const bool plain = endpoint.aliases.empty() && endpoint.driver_opts.empty() &&
                       endpoint.mac_address.empty() && !endpoint.ipam_config;
    if (user_defined || !plain || networks.size() > 1)
      request.networking_config.endpoints_config[network.name] = std::move(endpoint);
  }
  return {};
}

}  // namespace skiff::cli
