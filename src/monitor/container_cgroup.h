#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "runtime/container.h"
#include "sys/cgroup.h"
#include "sys/fd.h"

/// What a monitor reads in its container's cgroup, whoever has made that.
namespace skiff::monitor {

struct CgroupPlace {
  std::string cgroup;  ///< relative to each hierarchy's root
  std::string unit;    ///< systemd's, whose cgroup it is; "" without
};
/// Where the container will be. Unavailable: systemd is wanted and does not run here.
Result<CgroupPlace> cgroup_of(const runtime::CreateOptions& options);
/// The counters as JSON (runtime/stats.h).
Result<std::string> cgroup_stats(const sys::Cgroup& cgroup);
/// How many processes in it the kernel has killed for want of memory.
std::uint64_t cgroup_oom_kills(const sys::Cgroup& cgroup);
/// As Backend::oom_watch.
sys::Fd cgroup_oom_watch(const sys::Cgroup& cgroup);
/// Ends what is left in it, stops systemd's unit whose cgroup it is ("": none), and removes it.
Result<void> remove_cgroup(const sys::Cgroup& cgroup, const std::string& unit);

}  // namespace skiff::monitor
