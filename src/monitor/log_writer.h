#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "monitor/log_format.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// Writes a container's log. append() only collects; flush() writes all that was collected by one write(2),
/// so a poll round of thousands of lines costs one system call.
///
/// When the disk is full, or a write fails otherwise, the collected lines are lost and counted, the segment
/// is cut back to its last whole record and later lines are tried again: a full disk never stops a container.
class LogWriter {
 public:
  /// Continues the log in `directory` (made if missing); a torn record at its end is cut off.
  static Result<LogWriter> open(std::string directory, std::uint64_t max_bytes, int max_files);

  /// Output of `stream` as it came: split at newlines, and after kMaxLine bytes. An unfinished line is kept
  /// until the rest of it arrives.
  void append(Stream stream, std::string_view bytes, Time time);
  /// The stream is over: an unfinished line is recorded as it is.
  void finish(Stream stream, Time time);
  /// Writes what was collected. The error is that of the first failure since the last good flush.
  Result<void> flush();
  /// Gives the memory of idle buffers back.
  void trim();

  std::uint64_t lost_records() const { return lost_; }

 private:
  LogWriter() = default;

  void put(Stream stream, bool partial, std::string_view bytes, Time time);
  Result<void> open_segment(std::uint64_t number);
  Result<void> rotate();
  Result<void> write_pending();

  std::string directory_;
  std::uint64_t max_bytes_ = 0;
  int max_files_ = 0;
  std::uint64_t number_ = 0;  ///< of the open segment
  std::uint64_t size_ = 0;    ///< of the open segment, what is on disk
  sys::Fd file_;
  std::string pending_;  ///< encoded records, not yet written
  std::uint64_t pending_records_ = 0;
  std::string unfinished_[2];  ///< the open line of each stream
  std::uint64_t lost_ = 0;
  std::optional<Error> failure_;
};

}  // namespace skiff::monitor
