#pragma once

#include <sys/stat.h>
#include <zlib.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "monitor/gzip_members.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// One file of a "json-file" log for reading, compressed or not. It may be written, get another name and be
/// removed meanwhile. Reading starts where one of the seeks left it, at first at the beginning.
class JsonLogFile {
 public:
  static constexpr std::size_t kReadSize = 128 << 10;

  /// Nothing when it is not there.
  static Result<std::unique_ptr<JsonLogFile>> open(const std::string& path, bool compressed);
  ~JsonLogFile();
  JsonLogFile(const JsonLogFile&) = delete;
  JsonLogFile& operator=(const JsonLogFile&) = delete;

  /// Appends what comes next; false at the end, which moves while the file is written.
  Result<bool> read(std::string& out, std::size_t most = kReadSize);
  /// What the file gets from now on is not there.
  Result<void> end_here();
  bool compressed() const { return compressed_; }
  Result<struct stat> status() const;
  bool same_as(const struct stat& other) const;
  /// Whether it is shorter than what was read of it: it was emptied.
  Result<bool> was_emptied() const;

  void seek_start() { seek(0); }
  /// To a record's beginning not long before the first one at or after `since`.
  Result<void> seek_since(Time since);
  /// To where the last `lines` lines begin. Answers how many of them the files before this one have; `skip`
  /// is how many lines are to be passed over here.
  Result<std::uint64_t> seek_tail(std::uint64_t lines, std::uint64_t& skip);
  /// Of the first record; nothing when there is none.
  Result<std::optional<Time>> first_time() const;

 private:
  JsonLogFile(sys::Fd fd, bool compressed) : fd_(std::move(fd)), compressed_(compressed) {}

  void seek(std::uint64_t offset);
  Result<void> open_gzip();
  Result<std::uint64_t> size() const;
  Result<std::string> line_after(std::uint64_t& offset) const;
  Result<std::optional<Time>> time_after(std::uint64_t& offset) const;
  Result<void> seek_since_plain(Time since);
  Result<void> seek_since_compressed(Time since);
  Result<std::uint64_t> seek_tail_plain(std::uint64_t lines);
  Result<std::uint64_t> seek_tail_compressed(std::uint64_t lines, std::uint64_t& skip);

  sys::Fd fd_;
  bool compressed_ = false;
  gzFile unpacked_ = nullptr;  ///< while a compressed one is read
  std::uint64_t offset_ = 0;   ///< of what is read next; of a compressed one, where unpacking begins
  std::uint64_t limit_ = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace skiff::monitor
