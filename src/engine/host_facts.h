#pragma once

#include <cstdint>
#include <string>

namespace skiff::engine {

/// What the engine must know of the machine to judge a request and to write a bundle. Tests make their own.
struct HostFacts {
  int cpus = 1;                   ///< that this process may use
  std::string online_cpus = "0";  ///< as /sys/devices/system/cpu/online: "0-3,5"
  std::string online_mems = "0";
  std::int64_t memory = 0;   ///< bytes
  bool cgroup_v2 = false;    ///< the unified hierarchy alone
  bool blkio_weight = true;  ///< the kernel knows --blkio-weight
  int kernel_major = 0;
  int kernel_minor = 0;
  std::string kernel_release;
  std::string hostname;
  std::string architecture;  ///< GOARCH
  std::string os_name;       ///< PRETTY_NAME of os-release
};

/// Read once, then the same value.
const HostFacts& host_facts();

/// True when every number of `wanted` ("0,2-3") is in `available`. Nothing when `wanted` is malformed:
/// `valid` says so.
bool cpuset_contains(const std::string& wanted, const std::string& available, bool* valid);

}  // namespace skiff::engine
