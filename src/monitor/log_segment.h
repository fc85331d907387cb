#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "monitor/log_format.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// The numbers of a log's segments, lowest first. A missing directory is an empty log.
Result<std::vector<std::uint64_t>> list_segments(const std::string& directory);

/// One segment of a log for reading, compressed or not; it may be written meanwhile.
class LogSegment {
 public:
  /// Nothing when there is no segment of this number (any more).
  static Result<std::optional<LogSegment>> open(const std::string& directory, std::uint64_t number);

  /// Where block `blocks()` begins or, while the last block is unfinished, the end of that.
  Result<std::uint64_t> end() const;
  /// How many blocks there are now, the last perhaps unfinished.
  Result<std::uint64_t> blocks() const;
  /// Appends to `block`, which holds the beginning of block `index` (or nothing of it), what else there is of
  /// it now.
  Result<void> read(std::uint64_t index, std::string& block) const;
  /// The moment block `index` begins with; nothing when it is damaged.
  Result<std::optional<Time>> first_time(std::uint64_t index) const;
  /// The last moment of the segment; nothing when its end is damaged or it is empty.
  Result<std::optional<Time>> last_time() const;

 private:
  struct Entry {
    std::uint64_t offset = 0;  ///< of the compressed block in the file
    Time time{};
  };
  LogSegment() = default;
  Result<bool> load_index();

  sys::Fd file_;
  bool compressed_ = false;
  std::vector<Entry> index_;  ///< of a compressed segment; one more than there are blocks
};

/// Replaces segment `number`, which nobody writes any more, by its compressed form. Readers that have it
/// open read on. A power loss leaves one form or the other.
Result<void> compress_segment(const std::string& directory, std::uint64_t number);
/// The lowest segment below `current` that is not compressed yet.
Result<std::optional<std::uint64_t>> plain_segment_below(const std::string& directory, std::uint64_t current);

}  // namespace skiff::monitor
