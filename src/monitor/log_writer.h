#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "monitor/log_driver.h"
#include "monitor/log_format.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// Writes a container's log in the form of log_format.h. Small pieces are collected until flush(); large ones
/// go to the file by one writev(2), straight out of the caller's buffer.
///
/// When the disk is full, or a write fails otherwise, the lines concerned are lost and counted, the segment
/// is cut back to its last whole record and later lines are tried again: a full disk never stops a container.
class LogWriter final : public LogDriver {
 public:
  struct Limits {
    std::uint64_t max_bytes = 20 << 20;  ///< of a segment; 0: no limit
    int max_files = 5;
  };

  /// Continues the log in `directory` (made if missing); a torn record at its end is cut off.
  static Result<LogWriter> open(std::string directory, Limits limits);

  void append(Stream stream, std::string_view bytes, Time time) override;
  void finish(Stream stream, Time time) override;
  Result<void> flush() override;
  void trim() override;

  /// Of the segment being written; those below are final.
  std::uint64_t current_segment() const { return number_; }
  std::uint64_t lost_lines() const { return lost_; }

 private:
  struct Source {
    std::string open;       ///< its unfinished line, as the file has it
    bool close = false;     ///< lines were lost behind `open`: end it before anything else
    bool skipping = false;  ///< the beginning of the current line was lost, so the rest of it is, too
  };

  LogWriter() = default;

  Source& source(Stream stream) { return sources_[stream == Stream::Stderr]; }
  Result<void> continue_segment(std::uint64_t number);
  Result<void> new_segment();
  std::size_t make_room(Time time);
  std::size_t put(Stream stream, std::string_view bytes, Time time);
  void put_carries(Time time);
  Time ordered(Time time);
  void write_out(std::string_view payload);
  void lose(std::string_view payload);
  void restore(std::string_view block, std::uint64_t index);
  void note(Error error);

  std::string directory_;
  Limits limits_;
  std::uint64_t number_ = 0;  ///< of the open segment
  std::uint64_t size_ = 0;    ///< of the open segment, what is on disk
  Time last_{};               ///< the latest moment in the segment
  sys::Fd file_;
  std::string pending_;  ///< encoded records, not yet written
  Source sources_[2];
  std::uint64_t lost_ = 0;
  std::optional<Error> failure_;
};

}  // namespace skiff::monitor
