#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/thread.h"
#include "build/ops/cache.h"

namespace skiff::build {

/// Computes what is to be known about layers beside everything else, on threads of its own that exist only
/// while there is something to do. Each snapshot is worked on once. Thread-safe.
class Digester {
 public:
  using Compute = std::function<Result<LayerFacts>(const std::string& snapshot)>;
  explicit Digester(Compute compute, unsigned width = 2) : compute_(std::move(compute)), width_(width) {}
  ~Digester();

  /// Wants the facts about a committed snapshot soon.
  void request(const std::string& snapshot);
  /// Waits for them; requests them if nobody did.
  Result<LayerFacts> await(const std::string& snapshot);

 private:
  struct Job {
    std::optional<Result<LayerFacts>> result;
    unsigned waiting = 0;
  };

  void enqueue(const std::string& snapshot) REQUIRES(mutex_);
  void work();

  Compute compute_;
  unsigned width_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Job> jobs_ GUARDED_BY(mutex_);
  std::deque<std::string> queue_ GUARDED_BY(mutex_);
  unsigned workers_ GUARDED_BY(mutex_) = 0;
};

}  // namespace skiff::build
