#pragma once

#include <functional>
#include <vector>

#include "runtime/plan.h"
#include "sys/spawn.h"

namespace skiff::runtime {

/// Where a new process is born.
struct Birthplace {
  const std::vector<JoinedNamespace>* joined = nullptr;  ///< entered one by one, in this order
  int target_pidfd = -1;                                 ///< entered by one setns(2) with `target_namespaces`
  int target_namespaces = 0;
  unsigned long new_namespaces = 0;  ///< CLONE_NEW*
  int cgroup = -1;                   ///< version 2 directory for CLONE_INTO_CGROUP
};

/// Makes a child process that runs `entry`, which must not return and obeys the rules of runtime/child.h.
/// When namespaces are to be joined, a helper that shares our memory joins them first and makes the process
/// as our child (CLONE_PARENT), because a pid namespace is only entered by children and a user namespace only
/// before the others.
Result<sys::Process> launch(const Birthplace& place, void (*entry)(void*), void* argument);

}  // namespace skiff::runtime
