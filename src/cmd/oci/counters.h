#pragma once

#include "base/json.h"
#include "sys/cgroup.h"

namespace skiff::oci {

/// What `events` shows of a cgroup, in runc's shape (its types/events.go): members that are zero are left out
/// where runc leaves them out.
json::Object counters(const sys::Cgroup& cgroup);

/// How many processes the kernel has killed in it for want of memory.
std::uint64_t oom_kills(const sys::Cgroup& cgroup);

}  // namespace skiff::oci
