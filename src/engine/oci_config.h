#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/container.h"
#include "engine/host_facts.h"
#include "spec/oci_runtime.h"
#include "spec/users.h"

namespace skiff::engine {

/// Everything that a container's config.json is made from, gathered by the start.
struct BundleInputs {
  const Definition& definition;
  const HostFacts& facts;
  std::string cgroup_path;
  spec::UserIdentity user;
  /// Namespaces of other containers to join, by OCI type: {"network": "/proc/12/ns/net"}.
  std::map<std::string, std::string> joined;
  std::string hostname;     ///< "" leaves it alone (host's UTS namespace)
  std::string resolv_conf;  ///< paths on the host; "" for none
  std::string hostname_file;
  std::string hosts_file;
  std::string shared_shm;                ///< source of /dev/shm when the IPC namespace is another's
  std::vector<spec::oci::Mount> mounts;  ///< of the user: binds, volumes, tmpfs; sources are there
};

/// Docker's config.json for a container, without linux.seccomp. InvalidArgument for what only shows here: a
/// device that does not exist.
Result<spec::oci::Runtime> make_oci_config(const BundleInputs& inputs);

/// The linux.seccomp that belongs to it, as JSON; "" for none. InvalidArgument for a profile that is none.
Result<std::string> make_seccomp_profile(const BundleInputs& inputs);

/// The environment of a program: PATH, HOSTNAME, TERM with a terminal, what is configured, and HOME if that
/// is missing.
std::vector<std::string> make_environment(const Definition& definition, const std::string& hostname,
                                          bool terminal, const std::vector<std::string>& extra,
                                          const std::string& home);

/// Limits in the form the runtime takes; also for update.
spec::oci::Resources make_resources(const spec::docker::HostConfig& host);

/// Adds the block I/O limits of single devices. InvalidArgument for one that does not exist.
Result<void> add_device_limits(const spec::docker::Resources& given, spec::oci::Resources& resources);

/// Adds --device, --device-cgroup-rule, and everything in /dev for privileged containers.
Result<void> add_devices(const spec::docker::HostConfig& host, spec::oci::Linux& part);

/// Capabilities of a container's or exec's program.
Result<spec::oci::Capabilities> make_capabilities(const spec::docker::HostConfig& host, bool privileged);

}  // namespace skiff::engine
