#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "engine/parts.h"

namespace skiff::engine {

struct LogOptions {
  bool standard_output = false;
  bool standard_error = false;
  bool follow = false;
  bool timestamps = false;
  bool details = false;
  std::optional<Time> since;
  std::optional<Time> until;
  std::optional<std::size_t> tail;  ///< the last so many lines; all when absent
};

/// Takes a container's output as the client is to get it: many lines at once, each in its frame unless the
/// container has a terminal. An error ends the reading.
using LogSink = std::function<Result<void>(std::string_view bytes)>;

/// What containers wrote. Thread-safe.
class Logs {
 public:
  Logs(Parts& parts, ContainerSet& set) : parts_(parts), set_(set) {}

  /// InvalidArgument: "you must choose at least one stream". Answers whether the container has a terminal (no
  /// frames then).
  Result<bool> prepare(std::string_view name, const LogOptions& options);
  /// Feeds `sink` until the end, the container's end when following, or `stop`.
  Result<void> read(std::string_view name, const LogOptions& options, const LogSink& sink,
                    std::stop_token stop);

 private:
  Parts& parts_;
  ContainerSet& set_;
};

}  // namespace skiff::engine
