#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "monitor/log_format.h"
#include "monitor/log_lines.h"
#include "monitor/log_segment.h"
#include "monitor/log_source.h"

namespace skiff::monitor {

/// Reads a log of the "local" driver.
class LogReader final : public LogSource {
 public:
  static Result<LogReader> open(std::string directory, LogQuery query);

  Result<std::optional<LogRecord>> next() override;
  void set_abandoned() override { abandoned_ = true; }

  /// Bytes that were passed over because they are not records (a torn end, a damaged disk).
  std::uint64_t damaged_bytes() const { return damaged_; }

 private:
  /// A place between records. Compressing a segment does not move it.
  struct Place {
    std::uint64_t segment = 0;
    std::uint64_t offset = 0;
    auto operator<=>(const Place&) const = default;
  };

  explicit LogReader(std::string directory) : LogSource(std::move(directory)) {}

  static Result<Place> end_of(const std::string& directory);
  Result<void> seek_tail(std::uint64_t lines);
  Result<void> seek_since(Time since);
  Result<bool> enter_segment(std::uint64_t number, std::uint64_t block);
  void enter_block(std::uint64_t index, bool in_sequence);
  Result<bool> next_segment();
  Result<bool> next_piece();
  Result<bool> advance();
  Result<bool> whole_piece_here();
  bool take_torn();
  void take(const LogPiece& piece);
  bool shown(Stream stream, Time time) const;
  bool beyond_end() const;

  LogQuery query_;
  Place end_;  ///< of the log at the opening
  std::optional<LogSegment> segment_;
  std::uint64_t number_ = 0;  ///< of the segment
  std::uint64_t index_ = 0;   ///< of the block in it
  std::string block_;         ///< what was read of it
  std::size_t position_ = 0;  ///< of the next record in block_
  bool entered_ = false;      ///< the reading begins here: what is carried into the block counts
  bool skip_segment_ = false;
  bool abandoned_ = false;
  LogPiece piece_;         ///< what lines are cut from
  std::string_view rest_;  ///< of piece_'s bytes
  bool ended_ = false;     ///< piece_ is the end of its stream
  LogLines lines_;
  std::uint64_t drop_ = 0;  ///< so many lines to pass over, where the tail begins within a block
  std::uint64_t damaged_ = 0;
};

}  // namespace skiff::monitor
