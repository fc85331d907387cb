#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "base/thread.h"

namespace skiff::registry::server {

/// What the server counts, as Prometheus reads it (text format 0.0.4). Thread-safe.
class Metrics {
 public:
  /// A request that is over. `endpoint` is one of a few words.
  void count_request(std::string_view endpoint, std::string_view method, int status,
                     std::chrono::nanoseconds duration, std::uint64_t sent);

  std::atomic<std::int64_t> in_flight = 0;
  std::atomic<std::uint64_t> received = 0;  ///< bytes of blobs and manifests
  std::atomic<std::uint64_t> uploads_expired = 0;
  std::atomic<std::uint64_t> collections = 0;
  std::atomic<std::uint64_t> collected_blobs = 0;
  std::atomic<std::uint64_t> collected_bytes = 0;

  std::string text() const;

 private:
  static constexpr std::array<double, 8> kBounds = {0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60};  ///< seconds

  mutable Mutex mutex_;
  std::map<std::tuple<std::string, std::string, int>, std::uint64_t> requests_ GUARDED_BY(mutex_);
  std::array<std::uint64_t, kBounds.size() + 1> durations_ GUARDED_BY(mutex_){};
  double seconds_ GUARDED_BY(mutex_) = 0;
  std::uint64_t sent_ GUARDED_BY(mutex_) = 0;
};

}  // namespace skiff::registry::server
