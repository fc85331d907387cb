#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/result.h"
#include "monitor/log_format.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// What to read of a log.
struct LogQuery {
  bool standard_output = true;
  bool standard_error = true;
  std::optional<Time> since;          ///< records at or after this moment
  std::optional<Time> until;          ///< records before or at this moment
  std::optional<std::uint64_t> tail;  ///< the last N lines of both streams; all when absent
  bool only_present = false;          ///< end where the log ended at the opening, however fast it grows
};

/// A log that is read while it may be written and rotated by another process.
///
///     while (true) {
///       if (auto record = TRY(log->next())) { show(*record); continue; }
///       if (!follow || !container_runs()) break;   // ask first, then read to the end once more
///       TRY(log->wait(500ms, client_socket));
///     }
///
/// To follow without missing the last lines, look whether the container still runs *before* the next() that
/// finds nothing. A log that does not exist (yet) is an empty one. Not thread-safe.
class LogSource {
 public:
  /// `directory` is where the log's files are.
  explicit LogSource(std::string directory) : directory_(std::move(directory)) {}
  virtual ~LogSource() = default;

  /// The next record that the query wants, or nothing when there is no further one now. What it points to
  /// stays valid until the next call.
  virtual Result<std::optional<LogRecord>> next() = 0;
  /// Nobody will write to the log any more: next() then gives out, at the end, also what a killed writer left
  /// there, a torn record and lines that were not ended.
  virtual void set_abandoned() {}

  enum class Wake { More, Timeout, Interrupted };
  /// Waits until the log may have grown, for `timeout`, or until `interrupt` (a client's socket; -1: none)
  /// has something to read or is closed.
  Result<Wake> wait(std::chrono::milliseconds timeout, int interrupt = -1);

 protected:
  LogSource(LogSource&&) = default;
  LogSource& operator=(LogSource&&) = default;
  std::string directory_;

 private:
  sys::Fd inotify_;
};

}  // namespace skiff::monitor
