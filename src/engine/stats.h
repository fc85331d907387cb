#pragma once

#include <functional>
#include <stop_token>
#include <string_view>

#include "base/result.h"
#include "engine/parts.h"
#include "spec/docker/stats.h"

namespace skiff::engine {

/// Counters of containers. Thread-safe.
class Stats {
 public:
  Stats(Parts& parts, ContainerSet& set) : parts_(parts), set_(set) {}

  /// One sample. With `pre` the sample before it, a second earlier, is filled in too (stream=0 without
  /// one-shot).
  Result<spec::docker::StatsResponse> once(std::string_view name, bool pre, std::stop_token stop);
  /// A sample a second until `stop`, the sink's failure, or the container's removal.
  Result<void> stream(std::string_view name,
                      const std::function<Result<void>(const spec::docker::StatsResponse&)>& sink,
                      std::stop_token stop);

 private:
  Parts& parts_;
  ContainerSet& set_;
};

}  // namespace skiff::engine
