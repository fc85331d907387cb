#include "build/ops/digester.h"

namespace skiff::build {

Digester::~Digester() {
  MutexLock lock(mutex_);
  queue_.clear();
  while (workers_ > 0) lock.wait(changed_);
}

void Digester::request(const std::string& snapshot) {
  const MutexLock lock(mutex_);
  enqueue(snapshot);
}

void Digester::enqueue(const std::string& snapshot) {
  if (!jobs_.try_emplace(snapshot).second) return;
  queue_.push_back(snapshot);
  if (workers_ >= width_) return;
  ++workers_;
  std::thread([this] { work(); }).detach();  // the destructor waits for the count
}

void Digester::work() {
  while (true) {
    std::string snapshot;
    {
      const MutexLock lock(mutex_);
      if (queue_.empty()) {
        --workers_;
        changed_.notify_all();
        return;
      }
      snapshot = std::move(queue_.front());
      queue_.pop_front();
    }
    auto result = compute_(snapshot);
    const MutexLock lock(mutex_);
    Job& job = jobs_[snapshot];
    // With nobody waiting the answer is dropped: whoever asks later finds it in the cache.
    if (job.waiting == 0)
      jobs_.erase(snapshot);
    else
      job.result = std::move(result);
    changed_.notify_all();
  }
}

Result<LayerFacts> Digester::await(const std::string& snapshot) {
  MutexLock lock(mutex_);
  enqueue(snapshot);
  ++jobs_[snapshot].waiting;
  while (!jobs_[snapshot].result) lock.wait(changed_);
  const Result<LayerFacts> result = *jobs_[snapshot].result;
  if (--jobs_[snapshot].waiting == 0) jobs_.erase(snapshot);
  return result;
}

}  // namespace skiff::build
