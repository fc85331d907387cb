#pragma once

#include <condition_variable>
#include <functional>
#include <thread>

#include "base/thread.h"

namespace skiff::archive {

/// A thread that does one thing after the other for its owner. A confined worker cannot make threads, so it
/// makes this one before (confine.h).
class SideThread {
 public:
  /// The thread runs when this returns: whatever the C library asks the kernel for a new thread is behind it.
  SideThread();
  ~SideThread();
  SideThread(const SideThread&) = delete;
  SideThread& operator=(const SideThread&) = delete;

  /// Gives it something to do, after what it has to do already.
  void start(std::function<void()> work) EXCLUDES(mutex_);
  /// Waits until it has nothing to do.
  void wait() EXCLUDES(mutex_);

 private:
  void run() EXCLUDES(mutex_);

  Mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> work_ GUARDED_BY(mutex_);
  bool busy_ GUARDED_BY(mutex_) = true;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  ///< the last member: it uses the others
};

}  // namespace skiff::archive
