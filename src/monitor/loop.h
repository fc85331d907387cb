#pragma once

#include <sys/epoll.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// A small single-threaded event loop over epoll(7). Callbacks may drop any Watch or Timer, their own
/// included.
class Loop {
 public:
  class Watch;
  class Timer;
  using Milliseconds = std::chrono::milliseconds;

  static Result<std::unique_ptr<Loop>> create();
  ~Loop();

  /// Calls `ready` with epoll's event bits, level-triggered, as long as the returned Watch lives. `fd` stays
  /// the caller's and outlives the Watch. Regular files, which epoll refuses, are an error.
  Result<std::unique_ptr<Watch>> watch(const sys::Fd& fd, std::uint32_t events,
                                       std::function<void(std::uint32_t)> ready);
  /// Calls `expired` once, unless the Timer is dropped before.
  std::unique_ptr<Timer> after(Milliseconds delay, std::function<void()> expired);
  /// Runs `task` at the end of this round, before the loop waits again.
  void defer(std::function<void()> task) { deferred_.push_back(std::move(task)); }
  /// `idle` is called once when nothing happened for a second.
  void set_idle(std::function<void()> idle) { idle_ = std::move(idle); }

  /// Serves events until stop().
  Result<void> run();
  void stop() { stopped_ = true; }
  /// After stop(): run() may be called again.
  void resume() { stopped_ = false; }

 private:
  struct TimerState;
  Loop() = default;

  int next_timeout() const;
  void run_timers();
  void run_deferred();

  sys::Fd epoll_;
  std::vector<std::function<void()>> deferred_;
  std::vector<std::shared_ptr<TimerState>> timers_;
  std::vector<epoll_event> round_;  ///< the events of this round; a dropped Watch is blanked out
  std::function<void()> idle_;
  bool idle_done_ = false;
  bool stopped_ = false;
};

class Loop::Watch {
 public:
  Watch(Loop& loop, int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Changes what is waited for; EPOLLHUP and EPOLLERR are always reported.
  void set(std::uint32_t events);

 private:
  friend class Loop;
  Loop& loop_;
  int fd_;
  std::uint32_t events_;
  std::shared_ptr<std::function<void(std::uint32_t)>> ready_;
};

class Loop::Timer {
 public:
  explicit Timer(std::shared_ptr<TimerState> state) : state_(std::move(state)) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  std::shared_ptr<TimerState> state_;
};

}  // namespace skiff::monitor
