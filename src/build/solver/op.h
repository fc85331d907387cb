#pragma once

#include <atomic>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace skiff::build {

/// What a piece of work left behind.
struct Outcome {
  std::string snapshot;      ///< key of the file system; "" for the empty one
  std::string detail;        ///< what was copied, for the history ("file:<digest>"), or ""
  bool empty_layer = false;  ///< nothing changed: `snapshot` is the first input's
  Time created{};            ///< when it ran

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

enum class Stream : std::uint8_t { Output, Error };

/// Where a running piece of work prints.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(Stream stream, std::string_view text) = 0;
};

/// Turns true when nobody waits for the work any more.
class Cancellation {
 public:
  Cancellation(const std::atomic<bool>& caller, const std::atomic<bool>& solution)
      : caller_(caller), solution_(solution) {}
  bool requested() const { return caller_.load() || solution_.load(); }

 private:
  const std::atomic<bool>& caller_;
  const std::atomic<bool>& solution_;
};

/// One piece of work, as the solver sees it: it has an identity, may have been done before, and can be done.
class Op {
 public:
  virtual ~Op() = default;
  /// Its identity, given those of its inputs. Equal keys mean equal work, in this build and any other.
  virtual Result<std::string> key(const std::vector<std::string>& inputs) = 0;
  /// What an earlier run under this key left, if that is still there.
  virtual Result<std::optional<Outcome>> cached(const std::string& key) = 0;
  /// Does it, and remembers the outcome under `key`. Leaves nothing when it fails.
  virtual Result<Outcome> run(const std::string& key, const std::vector<Outcome>& inputs, Sink& sink,
                              const Cancellation& cancellation) = 0;
};

}  // namespace skiff::build
