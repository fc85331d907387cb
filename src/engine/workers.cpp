#include "engine/workers.h"

#include <sys/prctl.h>

#include <chrono>
#include <system_error>

#include "base/log.h"

namespace skiff::engine {
namespace {
constexpr auto kIdleTime = std::chrono::seconds(10);
constexpr auto kThreadPause = std::chrono::milliseconds(500);  ///< until a thread is tried for again
}  // namespace

Workers::Workers() : timekeeper_([this] { keep_time(); }) {}

Workers::~Workers() {
  std::map<std::thread::id, std::thread> threads;
  {
    MutexLock lock(mutex_);
    closing_ = true;
    timers_.clear();
    work_ready_.notify_all();
    time_changed_.notify_all();
    while (!jobs_.empty() || running_ > 0) {
      if (!threads_.empty()) {
        lock.wait(idle_);
        continue;
      }
      // None could be started.
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      mutex_.unlock();
      job();
      mutex_.lock();
    }
    threads.swap(threads_);
  }
  timekeeper_.join();
  for (auto& [id, thread] : threads) thread.join();
  join_finished();
}

void Workers::post(std::function<void()> job) {
  join_finished();
  const MutexLock lock(mutex_);
  jobs_.push_back(std::move(job));
  add_thread_if_needed();
  work_ready_.notify_one();
}

Workers::Timer Workers::post_after(std::chrono::nanoseconds delay, std::function<void()> job) {
  const MutexLock lock(mutex_);
  const Timer timer = next_timer_++;
  timers_.emplace(std::pair(Clock::now() + delay, timer), std::move(job));
  time_changed_.notify_one();
  return timer;
}

bool Workers::cancel(Timer timer) {
  const MutexLock lock(mutex_);
  for (auto it = timers_.begin(); it != timers_.end(); ++it) {
    if (it->first.second != timer) continue;
    timers_.erase(it);
    return true;
  }
  return false;
}

void Workers::drain() {
  MutexLock lock(mutex_);
  while (!jobs_.empty() || running_ > 0) lock.wait(idle_);
}

void Workers::add_thread_if_needed() {
  if (waiting_ >= static_cast<int>(jobs_.size()) || static_cast<int>(threads_.size()) >= kMost) return;
  try {
    std::thread thread([this] { work(); });
    const std::thread::id id = thread.get_id();
    threads_.emplace(id, std::move(thread));
  } catch (const std::system_error& error) {
    // The jobs stay: other threads take them, or one that the timekeeper starts later.
    log::warning("a job waits for a thread: {}", error.what());
    time_changed_.notify_one();
  }
}

void Workers::work() {
  ::prctl(PR_SET_NAME, "engine-worker");
  MutexLock lock(mutex_);
  for (;;) {
    const auto deadline = Clock::now() + kIdleTime;
    while (jobs_.empty() && !closing_) {
      ++waiting_;
      const bool in_time = lock.wait_until(work_ready_, deadline);
      --waiting_;
      if (!in_time && jobs_.empty() && !closing_) {
        // The thread cannot join itself: whoever posts next does.
        if (auto self = threads_.extract(std::this_thread::get_id()))
          finished_.push_back(std::move(self.mapped()));
        return;
      }
    }
    if (jobs_.empty()) return;
    {
      auto job = std::move(jobs_.front());
      jobs_.pop_front();
      ++running_;
      mutex_.unlock();
      job();
      job = nullptr;
      mutex_.lock();
    }
    --running_;
    if (jobs_.empty() && running_ == 0) idle_.notify_all();
  }
}

void Workers::keep_time() {
  ::prctl(PR_SET_NAME, "engine-timer");
  MutexLock lock(mutex_);
  while (!closing_) {
    if (threads_.empty() && !jobs_.empty()) {
      lock.wait_until(time_changed_, Clock::now() + kThreadPause);
      if (!closing_) add_thread_if_needed();
      continue;
    }
    if (timers_.empty()) {
      lock.wait(time_changed_);
      continue;
    }
    const auto due = timers_.begin()->first.first;
    if (Clock::now() < due) {
      lock.wait_until(time_changed_, due);
      continue;
    }
    auto node = timers_.extract(timers_.begin());
    jobs_.push_back(std::move(node.mapped()));
    add_thread_if_needed();
    work_ready_.notify_one();
  }
}

void Workers::join_finished() {
  std::vector<std::thread> finished;
  {
    const MutexLock lock(mutex_);
    finished.swap(finished_);
  }
  for (std::thread& thread : finished) thread.join();
}

}  // namespace skiff::engine
