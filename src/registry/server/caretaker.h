#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <stop_token>
#include <thread>

#include "base/thread.h"
#include "registry/server/registry.h"

namespace skiff::registry::server {

struct CareSettings {
  std::chrono::nanoseconds upload_expiry = std::chrono::hours(168);  ///< 0: uploads are never given up
  std::chrono::nanoseconds interval = std::chrono::hours(24);        ///< between collections; 0: none
  bool collect_untagged = false;
};

/// A thread that gives up old uploads and collects garbage from time to time.
class Caretaker {
 public:
  Caretaker(Registry& registry, CareSettings settings);
  /// Ends a collection that is going on.
  ~Caretaker();
  Caretaker(const Caretaker&) = delete;
  Caretaker& operator=(const Caretaker&) = delete;

  /// Collects as soon as possible.
  void collect_now();

 private:
  void work(const std::stop_token& stop);
  void collect(const std::stop_token& stop);
  void expire();

  Registry& registry_;
  const CareSettings settings_;
  Mutex mutex_;
  std::condition_variable woken_;
  bool collect_ GUARDED_BY(mutex_) = false;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace skiff::registry::server
