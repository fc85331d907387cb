#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

/// Old files of the "json-file" log are compressed as gzip of many members, which every tool reads as one
/// (RFC 1952, 2.2). Each holds whole lines and says in an extra field, "SL", how long it is and how many
/// lines it has. So a moment or the last lines are found without unpacking all that stands before them.
namespace skiff::monitor {

struct GzipMember {
  std::uint64_t offset = 0;  ///< in the compressed file
  std::uint64_t lines = 0;
};

/// Replaces `path`, which nobody writes any more, by `path`.gz. A power loss leaves one or the other.
Result<void> gzip_file(const std::string& path);
/// The members of a compressed file, in order; none when it was not written by gzip_file().
Result<std::vector<GzipMember>> gzip_members(const sys::Fd& file);

}  // namespace skiff::monitor
