#include "engine/oci_config.h"

#include <algorithm>

#include "base/json.h"
#include "base/strings.h"
#include "base/thread.h"
#include "engine/create_request.h"
#include "engine/mounts.h"
#include "spec/defaults.h"
#include "sys/path.h"

namespace skiff::engine {
namespace {

using spec::docker::HostConfig;
using spec::oci::Mount;

bool has_destination(const std::vector<Mount>& mounts, std::string_view destination) {
  return std::any_of(mounts.begin(), mounts.end(),
                     [&](const Mount& m) { return m.destination == destination; });
}

void replace_variable(std::vector<std::string>& environment, const std::string& variable) {
  const std::string_view key = cut(variable, '=').first;
  for (std::string& present : environment) {
    if (cut(present, '=').first == key) {
      present = variable;
      return;
    }
  }
  environment.push_back(variable);
}

std::vector<spec::oci::Namespace> namespaces(const BundleInputs& inputs) {
  const HostConfig& host = inputs.definition.host;
  std::vector<spec::oci::Namespace> result = {{"mount", ""}};
  const auto add = [&](const char* type, bool shares_host) {
    if (const auto joined = inputs.joined.find(type); joined != inputs.joined.end())
      result.push_back({type, joined->second});
    else if (!shares_host)
      result.push_back({type, ""});
  };
  add("network", host.network_mode == "host");
  add("uts", host.uts_mode == "host");
  add("pid", host.pid_mode == "host");
  add("ipc", host.ipc_mode == "host");
  add("cgroup", host.cgroupns_mode == "host");
  return result;
}

/// Default mounts that the user's own replace, or that this container's modes change.
std::vector<Mount> base_mounts(const BundleInputs& inputs) {
  const HostConfig& host = inputs.definition.host;
  std::vector<Mount> mounts = spec::default_mounts(host.shm_size);
  std::erase_if(mounts, [&](const Mount& m) {
    return has_destination(inputs.mounts, m.destination) ||
           host.tmpfs.find(m.destination) != host.tmpfs.end() ||
           (m.destination == "/dev/shm" && host.ipc_mode == "none");
  });
  for (Mount& mount : mounts) {
    if (mount.destination == "/dev/shm" && !inputs.shared_shm.empty())
      mount = Mount("/dev/shm", "bind", inputs.shared_shm, {"rbind", "rprivate"});
    if (mount.destination == "/dev/mqueue" && host.ipc_mode == "host")
      mount = Mount("/dev/mqueue", "bind", "/dev/mqueue", {"rbind", "rprivate"});
    if (host.privileged && (mount.type == "sysfs" || mount.type == "cgroup")) std::erase(mount.options, "ro");
  }
  return mounts;
}

Result<std::vector<Mount>> all_mounts(const BundleInputs& inputs) {
  std::vector<Mount> mounts = base_mounts(inputs);
  std::vector<Mount> own = inputs.mounts;
  const auto add_file = [&](const std::string& source, const char* destination) {
    if (!source.empty() && !has_destination(own, destination))
      own.insert(own.begin(), Mount(destination, "bind", source, {"rbind", "rprivate"}));
  };
  add_file(inputs.hosts_file, "/etc/hosts");
  add_file(inputs.hostname_file, "/etc/hostname");
  add_file(inputs.resolv_conf, "/etc/resolv.conf");
  for (const auto& [destination, text] : inputs.definition.host.tmpfs)
    own.emplace_back(sys::clean_path(destination), "tmpfs", "tmpfs", TRY(tmpfs_options(text)));
  const auto depth = [](const Mount& m) {
    return std::count(m.destination.begin(), m.destination.end(), '/');
  };
  std::stable_sort(own.begin(), own.end(),
                   [&](const Mount& a, const Mount& b) { return depth(a) < depth(b); });
  mounts.insert(mounts.end(), own.begin(), own.end());
  return mounts;
}

std::vector<spec::oci::Rlimit> rlimits(const HostConfig& host) {
  std::vector<spec::oci::Rlimit> result;
  for (const auto& limit : host.resources.ulimits) {
    result.push_back({"RLIMIT_" + to_upper(limit.name), static_cast<std::uint64_t>(limit.hard),
                      static_cast<std::uint64_t>(limit.soft)});
  }
  return result;
}

std::map<std::string, std::string> sysctls(const BundleInputs& inputs) {
  const HostConfig& host = inputs.definition.host;
  std::map<std::string, std::string> result;
  // Low ports and ping need no privilege inside a network namespace of one's own.
  if (host.network_mode != "host" && !inputs.joined.contains("network")) {
    result["net.ipv4.ip_unprivileged_port_start"] = "0";
    result["net.ipv4.ping_group_range"] = "0 2147483647";
  }
  for (const auto& [name, value] : host.sysctls) result[name] = value;
  return result;
}

Result<spec::oci::Process> make_process(const BundleInputs& inputs, const SecurityOptions& security) {
  const Definition& definition = inputs.definition;
  spec::oci::Process process;
  process.terminal = definition.config.tty;
  if (process.terminal && definition.host.console_size.size() == 2 && definition.host.console_size[0] > 0)
    process.console_size =
        spec::oci::ConsoleSize{definition.host.console_size[0], definition.host.console_size[1]};
  process.user.uid = inputs.user.uid;
  process.user.gid = inputs.user.gid;
  process.user.additional_gids = inputs.user.additional_gids;
  process.args.push_back(definition.path);
  process.args.insert(process.args.end(), definition.args.begin(), definition.args.end());
  process.env =
      make_environment(definition, inputs.hostname.empty() ? definition.config.hostname : inputs.hostname,
                       definition.config.tty, {}, inputs.user.home);
  process.cwd = definition.config.working_dir.empty() ? "/" : sys::clean_path(definition.config.working_dir);
  process.capabilities = TRY(make_capabilities(definition.host, definition.host.privileged));
  process.rlimits = rlimits(definition.host);
  process.no_new_privileges = security.no_new_privileges;
  process.oom_score_adj = definition.host.oom_score_adj;
  return process;
}

/// The built-in profile depends on the capabilities alone, of which there are few sets, and most containers
/// have the same.
class BuiltInProfiles {
 public:
  std::string text(const HostFacts& facts, const std::vector<std::string>& capabilities) EXCLUDES(mutex_) {
    const MutexLock lock(mutex_);
    if (texts_.size() >= kMost) texts_.clear();
    std::string& text = texts_[capabilities];
    if (text.empty())
      text = json::encode(
          spec::default_seccomp(capabilities, facts.architecture, facts.kernel_major, facts.kernel_minor));
    return text;
  }

 private:
  static constexpr std::size_t kMost = 50;
  Mutex mutex_;
  std::map<std::vector<std::string>, std::string> texts_ GUARDED_BY(mutex_);
};

/// The strongest propagation among the mounts decides how the root itself must stand.
std::string root_propagation(const std::vector<Mount>& mounts) {
  std::string result;
  for (const Mount& mount : mounts) {
    for (const std::string& option : mount.options) {
      if (option == "shared" || option == "rshared") return "shared";
      if (option == "slave" || option == "rslave") result = "rslave";
    }
  }
  return result;
}

spec::oci::BlockIo make_block_io(const spec::docker::Resources& r) {
  spec::oci::BlockIo io;
  if (r.blkio_weight > 0) io.weight = r.blkio_weight;
  return io;
}

}  // namespace

std::vector<std::string> make_environment(const Definition& definition, const std::string& hostname,
                                          bool terminal, const std::vector<std::string>& extra,
                                          const std::string& home) {
  std::vector<std::string> environment = {std::string(spec::kDefaultPath), "HOSTNAME=" + hostname};
  if (terminal) environment.emplace_back("TERM=xterm");
  for (const std::string& variable : definition.config.env) {
    // "NAME" without a value takes the variable away.
    if (variable.find('=') == std::string::npos)
      std::erase_if(environment, [&](const std::string& e) { return cut(e, '=').first == variable; });
    else
      replace_variable(environment, variable);
  }
  for (const std::string& variable : extra)
    if (variable.find('=') != std::string::npos) replace_variable(environment, variable);
  const auto is_home = [](const std::string& variable) { return variable.starts_with("HOME="); };
  if (std::none_of(environment.begin(), environment.end(), is_home)) environment.push_back("HOME=" + home);
  return environment;
}

Result<spec::oci::Capabilities> make_capabilities(const HostConfig& host, bool privileged) {
  spec::oci::Capabilities capabilities;
  capabilities.bounding = TRY(spec::effective_capabilities(host.cap_add, host.cap_drop, privileged));
  capabilities.effective = capabilities.bounding;
  capabilities.permitted = capabilities.bounding;
  return capabilities;
}

spec::oci::Resources make_resources(const HostConfig& host) {
  const spec::docker::Resources& r = host.resources;
  spec::oci::Resources result;
  spec::oci::Memory memory;
  if (r.memory > 0) memory.limit = r.memory;
  if (r.memory_reservation > 0) memory.reservation = r.memory_reservation;
  if (r.memory_swap != 0) memory.swap = r.memory_swap;
  if (r.memory_swappiness) memory.swappiness = static_cast<std::uint64_t>(*r.memory_swappiness);
  if (r.oom_kill_disable.value_or(false)) memory.disable_oom_killer = true;
  if (memory != spec::oci::Memory{}) result.memory = memory;

  spec::oci::Cpu cpu;
  if (r.cpu_shares > 0)
    cpu.shares = static_cast<std::uint64_t>(std::clamp<std::int64_t>(r.cpu_shares, 2, 262144));
  if (r.nano_cpus > 0) {
    constexpr std::int64_t kPeriod = 100'000;  // microseconds
    cpu.period = kPeriod;
    cpu.quota = r.nano_cpus * kPeriod / 1'000'000'000;
  }
  if (r.cpu_period > 0) cpu.period = static_cast<std::uint64_t>(r.cpu_period);
  if (r.cpu_quota != 0) cpu.quota = r.cpu_quota;
  if (r.cpu_realtime_period > 0) cpu.realtime_period = static_cast<std::uint64_t>(r.cpu_realtime_period);
  if (r.cpu_realtime_runtime > 0) cpu.realtime_runtime = r.cpu_realtime_runtime;
  cpu.cpus = r.cpuset_cpus;
  cpu.mems = r.cpuset_mems;
  if (cpu != spec::oci::Cpu{}) result.cpu = cpu;

  if (r.pids_limit && *r.pids_limit != 0)
    result.pids = spec::oci::Pids{*r.pids_limit > 0 ? *r.pids_limit : -1};
  if (auto io = make_block_io(r); io != spec::oci::BlockIo{}) result.block_io = std::move(io);
  return result;
}

Result<spec::oci::Runtime> make_oci_config(const BundleInputs& inputs) {
  const Definition& definition = inputs.definition;
  const SecurityOptions security = TRY(parse_security_options(definition.host.security_opt));
  spec::oci::Runtime config;
  config.process = TRY(make_process(inputs, security));
  config.root = spec::oci::Root{"rootfs", definition.host.readonly_rootfs};
  config.hostname = inputs.hostname;
  config.domainname = definition.config.domainname;
  config.mounts = TRY(all_mounts(inputs));
  config.annotations = definition.host.annotations;

  spec::oci::Linux part;
  part.namespaces = namespaces(inputs);
  part.cgroups_path = inputs.cgroup_path;
  part.sysctl = sysctls(inputs);
  part.resources = make_resources(definition.host);
  TRY(add_device_limits(definition.host.resources, *part.resources));
  part.devices = spec::default_devices();
  part.resources->devices = spec::default_device_rules();
  TRY(add_devices(definition.host, part));
  part.rootfs_propagation = root_propagation(inputs.mounts);
  if (!definition.host.privileged && !security.system_paths_unconfined) {
    part.masked_paths = definition.host.masked_paths.value_or(spec::default_masked_paths());
    part.readonly_paths = definition.host.readonly_paths.value_or(spec::default_readonly_paths());
  }
  config.linux_ = std::move(part);
  return config;
}

Result<std::string> make_seccomp_profile(const BundleInputs& inputs) {
  const HostFacts& facts = inputs.facts;
  const auto& host = inputs.definition.host;
  const SecurityOptions security = TRY(parse_security_options(host.security_opt));
  if (host.privileged || security.unconfined) return std::string();
  const auto capabilities = TRY(make_capabilities(host, false)).bounding;
  static BuiltInProfiles built_in;
  if (security.seccomp_profile.empty()) return built_in.text(facts, capabilities);
  return json::encode(TRY(spec::seccomp_from_profile(
      security.seccomp_profile, capabilities, facts.architecture, facts.kernel_major, facts.kernel_minor)));
}

}  // namespace skiff::engine
