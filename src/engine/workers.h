#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/thread.h"

namespace skiff::engine {

/// Threads that run jobs behind the callers' backs, now or later: exits, restarts, health checks, removal of
/// files. As many threads as there are blocked jobs, up to kMost; idle ones end after a while. Jobs deal with
/// their own failures. Thread-safe.
class Workers {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr int kMost = 128;

  Workers();
  /// Runs what was posted, forgets what was scheduled for later, and waits for all threads.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  void post(std::function<void()> job);

  using Timer = std::uint64_t;
  /// Posts `job` after `delay`. The number can be given to cancel(); it is never 0.
  Timer post_after(std::chrono::nanoseconds delay, std::function<void()> job);
  /// True when the job had not been posted yet, and now never will be.
  bool cancel(Timer timer);

  /// Blocks until no job is queued or running (tests, shutting down).
  void drain();

 private:
  void work();
  void keep_time();
  void add_thread_if_needed() REQUIRES(mutex_);
  void join_finished();

  Mutex mutex_;
  std::condition_variable work_ready_;
  std::condition_variable idle_;
  std::condition_variable time_changed_;
  std::deque<std::function<void()>> jobs_ GUARDED_BY(mutex_);
  std::map<std::pair<Clock::time_point, Timer>, std::function<void()>> timers_ GUARDED_BY(mutex_);
  std::map<std::thread::id, std::thread> threads_ GUARDED_BY(mutex_);
  std::vector<std::thread> finished_ GUARDED_BY(mutex_);
  int waiting_ GUARDED_BY(mutex_) = 0;  ///< threads without a job
  int running_ GUARDED_BY(mutex_) = 0;  ///< jobs being run
  Timer next_timer_ GUARDED_BY(mutex_) = 1;
  bool closing_ GUARDED_BY(mutex_) = false;
  std::thread timekeeper_;
};

}  // namespace skiff::engine
