#include "registry/server/flight.h"

namespace skiff::registry::server {

void Flight::progress(std::uint64_t done) {
  const MutexLock lock(mutex_);
  done_ = done;
  changed_.notify_all();
}

std::uint64_t Flight::wait_beyond(std::uint64_t seen) {
  MutexLock lock(mutex_);
  while (done_ <= seen && !result_) lock.wait(changed_);
  return done_;
}

Result<void> Flight::wait() {
  MutexLock lock(mutex_);
  while (!result_) lock.wait(changed_);
  return *result_;
}

bool Flight::ended() {
  const MutexLock lock(mutex_);
  return result_.has_value();
}

void Flight::end(Result<void> result) {
  const MutexLock lock(mutex_);
  result_ = std::move(result);
  changed_.notify_all();
}

Flights::~Flights() { stop(); }

std::shared_ptr<Flight> Flights::join(const std::string& name, Work work) {
  const MutexLock lock(mutex_);
  reap();
  if (const auto found = entries_.find(name); found != entries_.end()) return found->second.flight;
  auto flight = std::make_shared<Flight>();
  if (stop_.stop_requested()) {
    flight->end(Error(Kind::Unavailable, "the registry is being stopped"));
    return flight;
  }
  auto& entry = entries_[name];
  entry.flight = flight;
  entry.thread = std::thread([this, name, flight, work = std::move(work)] {
    auto result = work(*flight, stop_.get_token());
    {
      // Whoever asks from now on finds what was fetched, or begins anew.
      const MutexLock guard(mutex_);
      const auto own = entries_.find(name);
      over_.push_back(std::move(own->second.thread));
      entries_.erase(own);
    }
    flight->end(std::move(result));
  });
  return flight;
}

void Flights::reap() {
  // A thread in this list has nothing left to do but to tell its waiters.
  for (auto& thread : over_) thread.join();
  over_.clear();
}

void Flights::stop() {
  stop_.request_stop();
  while (true) {
    std::vector<std::thread> threads;
    {
      const MutexLock lock(mutex_);
      for (auto& thread : over_) threads.push_back(std::move(thread));
      over_.clear();
      if (threads.empty() && entries_.empty()) return;
    }
    if (threads.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    for (auto& thread : threads) thread.join();
  }
}

}  // namespace skiff::registry::server
