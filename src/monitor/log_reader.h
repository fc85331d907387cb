#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/clock.h"
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
};

/// Reads a log that may be written and rotated meanwhile, by another process.
///
///     auto reader = TRY(LogReader::open(directory, query));
///     while (true) {
///       if (auto record = TRY(reader.next())) { show(*record); continue; }
///       if (!follow || !container_runs()) break;   // ask first, then read to the end once more
///       TRY(reader.wait(500ms, client_socket));
///     }
///
/// To follow without missing the last lines, look whether the container still runs *before* the next() that
/// finds nothing. A log that does not exist (yet) is an empty one. Not thread-safe.
class LogReader {
 public:
  static Result<LogReader> open(std::string directory, LogQuery query);

  /// The next record that the query wants, or nothing when there is no further one now. The bytes stay valid
  /// until the next call.
  Result<std::optional<LogRecord>> next();

  enum class Wake { More, Timeout, Interrupted };
  /// Waits until the log may have grown, for `timeout`, or until `interrupt` (a client's socket; -1: none)
  /// has something to read or is closed.
  Result<Wake> wait(std::chrono::milliseconds timeout, int interrupt = -1);

  /// Bytes that were passed over because they are not records (a torn end, a damaged disk).
  std::uint64_t damaged_bytes() const { return damaged_; }

 private:
  LogReader() = default;

  Result<void> seek_tail(std::uint64_t lines);
  Result<bool> open_segment(std::uint64_t number, std::uint64_t offset);
  Result<bool> next_segment();
  Result<bool> fill();
  bool wanted(const LogRecord& record) const;

  std::string directory_;
  LogQuery query_;
  sys::Fd file_;
  sys::Fd inotify_;
  std::uint64_t number_ = 0;  ///< of the open segment; 0: none yet
  std::uint64_t offset_ = 0;  ///< in the file, of the end of buffer_
  std::string buffer_;
  std::size_t position_ = 0;  ///< of the next record in buffer_
  bool started_ = false;      ///< the segment's magic was read
  bool skip_rest_ = false;    ///< of a damaged segment
  bool passed_until_ = false;
  std::uint64_t damaged_ = 0;
};

}  // namespace skiff::monitor
