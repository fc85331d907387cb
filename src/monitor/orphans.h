#pragma once

#include <sys/types.h>

#include <memory>
#include <set>

#include "base/result.h"
#include "monitor/loop.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// Makes this process the parent of what an external runtime leaves behind (PR_SET_CHILD_SUBREAPER,
/// prctl(2)): first of all the container's processes, and with them those that nobody knows, whose ends it
/// takes note of.
///
/// A dead child is nobody's when it is still there a round of the loop after it was seen: who watches a
/// process by its pidfd has reaped it by then.
class Orphans {
 public:
  /// From now on, as long as the object lives.
  static Result<std::unique_ptr<Orphans>> adopt(Loop& loop);

 private:
  explicit Orphans(Loop& loop) : loop_(loop) {}
  Result<void> open();
  void look();

  Loop& loop_;
  sys::Fd ends_;  ///< signalfd of SIGCHLD
  std::unique_ptr<Loop::Watch> watch_;
  std::unique_ptr<Loop::Timer> second_look_;
  std::set<pid_t> seen_;
};

/// Whether `pid` is a child of this process, dead or alive.
bool is_own_child(pid_t pid);

}  // namespace skiff::monitor
