#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/thread.h"
#include "engine/filters.h"
#include "spec/docker/system.h"

namespace skiff::engine {

/// What happens, as `docker events` shows it. The last kHistory events are kept for `since`. Thread-safe.
class Events {
 public:
  static constexpr std::size_t kHistory = 1024;

  /// `type` is "container", "image", "network", "volume", "daemon" or "builder"; `id` is what it happened to.
  void publish(std::string type, std::string action, std::string id,
               std::map<std::string, std::string> attributes);

  using Sink = std::function<Result<void>(const spec::docker::EventMessage&)>;
  struct Options {
    std::optional<Time> since;
    std::optional<Time> until;
    Filters filters;
  };
  /// Feeds `sink`: first what is kept since `since`, then what comes, until `until`, `stop` or the sink's
  /// failure. A reader that falls more than kHistory events behind misses the oldest.
  Result<void> read(const Options& options, const Sink& sink, std::stop_token stop) NO_THREAD_SAFETY_ANALYSIS;
  int listeners();

 private:
  static bool matches(const spec::docker::EventMessage& event, const Options& options);

  Mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<spec::docker::EventMessage> history_ GUARDED_BY(mutex_);
  std::uint64_t first_ GUARDED_BY(mutex_) = 0;  ///< running number of history_.front()
  int listeners_ GUARDED_BY(mutex_) = 0;
};

}  // namespace skiff::engine
