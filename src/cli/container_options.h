#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "cli/specs/network_spec.h"
#include "spec/docker/container.h"

namespace skiff::cli {

/// The flags that run and create share, and how they become the engine's request.
class ContainerOptions {
 public:
  /// Adds the flags; this object must outlive `flags`.
  void add_to(FlagSet& flags);

  /// The request for `arguments` (image, command...). Errors are Docker's sentences.
  Result<spec::docker::ContainerCreate> build(FlagSet& flags,
                                              const std::vector<std::string>& arguments) const;

  std::string name;
  std::string platform;
  std::string pull = "missing";
  std::string cid_file;
  bool quiet = false;
  bool auto_remove = false;
  bool interactive = false;
  bool tty = false;
  std::vector<std::string> attach;

 private:
  void add_basic_flags(FlagSet& flags);
  void add_resource_flags(FlagSet& flags);
  void add_network_flags(FlagSet& flags);
  void add_storage_flags(FlagSet& flags);
  void add_security_flags(FlagSet& flags);
  void add_health_flags(FlagSet& flags);

  Result<void> fill_config(FlagSet& flags, spec::docker::ContainerConfig& config) const;
  Result<void> fill_environment(spec::docker::ContainerConfig& config) const;
  Result<void> fill_health(FlagSet& flags, spec::docker::ContainerConfig& config) const;
  Result<void> fill_host(FlagSet& flags, spec::docker::HostConfig& host) const;
  Result<void> fill_resources(FlagSet& flags, spec::docker::Resources& resources) const;
  Result<void> fill_security(spec::docker::HostConfig& host) const;
  Result<void> fill_networks(spec::docker::ContainerCreate& request) const;

  std::vector<std::string> publish_, expose_, env_, env_files_, labels_, label_files_, volumes_,
      volumes_from_, tmpfs_;
  std::vector<std::string> cap_add_, cap_drop_, security_opt_, group_add_, devices_, device_rules_,
      storage_opt_, log_opt_;
  std::vector<std::string> dns_, dns_search_, dns_options_, extra_hosts_, links_, link_local_ips_,
      network_aliases_;
  std::vector<spec::docker::MountRequest> mounts_;
  std::vector<spec::docker::Ulimit> ulimits_;
  std::vector<NetworkSpec> networks_;
  std::map<std::string, std::string> sysctls_, annotations_;
  std::string entrypoint_, hostname_, domainname_, user_, workdir_, stop_signal_, restart_ = "no", runtime_,
                                                                                  isolation_;
  std::string cgroup_parent_, cgroupns_, ipc_, pid_, uts_, userns_, volume_driver_, log_driver_, mac_, ip_,
      ip6_, gpus_;
  spec::docker::Resources resources_;
  std::int64_t shm_size_ = 0, stop_timeout_ = 0, oom_score_ = 0, swappiness_ = -1, pids_limit_ = 0;
  bool init_ = false, privileged_ = false, publish_all_ = false, read_only_ = false, no_health_ = false,
       oom_kill_disable_ = false;
  std::string health_command_, health_http_, health_tcp_;
  std::int64_t health_interval_ = 0, health_timeout_ = 0, health_start_period_ = 0,
               health_start_interval_ = 0;
  std::int64_t health_retries_ = 0, restart_unhealthy_ = 0;
};

}  // namespace skiff::cli
