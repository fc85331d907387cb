#include "monitor/loop.h"

#include <algorithm>

namespace skiff::monitor {

using Clock = std::chrono::steady_clock;

struct Loop::TimerState {
  Clock::time_point deadline;
  std::function<void()> expired;  ///< empty once dropped
};

Result<std::unique_ptr<Loop>> Loop::create() {
  std::unique_ptr<Loop> loop(new Loop());
  loop->epoll_ = sys::Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!loop->epoll_.valid()) return fail_errno("epoll_create1");
  return loop;
}

Loop::~Loop() = default;

Result<std::unique_ptr<Loop::Watch>> Loop::watch(const sys::Fd& fd, std::uint32_t events,
                                                 std::function<void(std::uint32_t)> ready) {
  auto added = std::make_unique<Watch>(*this, fd.get(), events, std::move(ready));
  epoll_event event{.events = events, .data = {.ptr = added.get()}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) {
    const int code = errno;
    added->fd_ = -1;
    return Error::from_errno("epoll_ctl", code);
  }
  return added;
}

Loop::Watch::Watch(Loop& loop, int fd, std::uint32_t events, std::function<void(std::uint32_t)> ready)
    : loop_(loop),
      fd_(fd),
      events_(events),
      ready_(std::make_shared<std::function<void(std::uint32_t)>>(std::move(ready))) {}

Loop::Watch::~Watch() {
  if (fd_ >= 0) ::epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_DEL, fd_, nullptr);
  for (epoll_event& event : loop_.round_) {
    if (event.data.ptr == this) event.data.ptr = nullptr;
  }
}

void Loop::Watch::set(std::uint32_t events) {
  if (events == events_) return;
  events_ = events;
  epoll_event event{.events = events, .data = {.ptr = this}};
  ::epoll_ctl(loop_.epoll_.get(), EPOLL_CTL_MOD, fd_, &event);
}

std::unique_ptr<Loop::Timer> Loop::after(Milliseconds delay, std::function<void()> expired) {
  auto state = std::make_shared<TimerState>(
      TimerState{.deadline = Clock::now() + delay, .expired = std::move(expired)});
  timers_.push_back(state);
  return std::make_unique<Timer>(std::move(state));
}

Loop::Timer::~Timer() { state_->expired = nullptr; }

int Loop::next_timeout() const {
  auto timeout = idle_done_ || !idle_ ? Milliseconds(-1) : Milliseconds(1000);
  const auto now = Clock::now();
  for (const auto& timer : timers_) {
    const auto left = std::max(std::chrono::ceil<Milliseconds>(timer->deadline - now), Milliseconds(0));
    if (timeout.count() < 0 || left < timeout) timeout = left;
  }
  return static_cast<int>(timeout.count());
}

void Loop::run_timers() {
  std::erase_if(timers_, [](const auto& timer) { return !timer->expired; });
  if (timers_.empty()) return;
  const auto now = Clock::now();
  const auto due = timers_;  // callbacks add and drop timers
  for (const auto& timer : due) {
    if (timer->deadline > now || !timer->expired) continue;
    const auto expired = std::move(timer->expired);
    timer->expired = nullptr;
    expired();
  }
  std::erase_if(timers_, [](const auto& timer) { return !timer->expired; });
}

void Loop::run_deferred() {
  while (!deferred_.empty()) {
    const auto tasks = std::exchange(deferred_, {});
    for (const auto& task : tasks) task();
  }
}

Result<void> Loop::run() {
  run_deferred();
  while (!stopped_) {
    epoll_event events[32];
    const int count = ::epoll_wait(epoll_.get(), events, 32, next_timeout());
    if (count < 0 && errno != EINTR) return fail_errno("epoll_wait");
    if (count > 0) {
      idle_done_ = false;
      round_.assign(events, events + count);
      for (std::size_t i = 0; i < round_.size(); ++i) {
        const auto* ready = static_cast<Watch*>(round_[i].data.ptr);
        if (!ready) continue;
        const auto callback = ready->ready_;  // it may drop its own Watch
        (*callback)(round_[i].events);
      }
      round_.clear();
    }
    run_timers();
    if (count == 0 && timers_.empty() && !idle_done_ && idle_) {
      idle_done_ = true;
      idle_();
    }
    run_deferred();
  }
  return success();
}

}  // namespace skiff::monitor
