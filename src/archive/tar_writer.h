#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "archive/tar_reader.h"

namespace skiff::archive {

/// Where the bytes of an archive go.
using Sink = std::function<Result<void>(std::string_view)>;

/// Writes tar archives: ustar headers, with a pax header in front only where ustar cannot say it (long or
/// non-ASCII names, large numbers, xattrs). The same entries always give the same bytes. Times are whole
/// seconds, as in Docker's layers, and user and group names are left out.
class TarWriter {
 public:
  explicit TarWriter(Sink sink) : sink_(std::move(sink)) {}

  /// Writes a header; `entry.size` bytes of data must follow for a regular file. Directory names get their
  /// "/" here.
  Result<void> header(const Entry& entry);
  /// A piece of the current entry's data. Internal when more comes than the header said.
  Result<void> data(std::string_view bytes);
  /// So many bytes of the current entry's data went to where the sink leads, by another way.
  Result<void> passed(std::uint64_t bytes);
  /// Fills the last entry's data up to its size with zeros (a file that shrank while it was read).
  Result<void> fill();
  /// Ends the archive.
  Result<void> finish();

 private:
  Result<void> pad();

  Sink sink_;
  std::uint64_t left_ = 0;     ///< data bytes still to come
  std::uint64_t written_ = 0;  ///< data bytes of the current entry
};

}  // namespace skiff::archive
