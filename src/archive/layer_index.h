#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

/// What a layer's table of contents says of its files, in the form in which it lies beside a layer whose
/// files are fetched when they are read: a tree as overlayfs wants it, and where in the layer's compressed
/// blob each piece of each file is. Made by a confined worker (worker.h, read_contents()), read by the
/// process that serves the files.
namespace skiff::archive {

/// A piece of a file: in some bytes of the compressed blob, which can be unpacked by themselves.
struct Chunk {
  std::uint64_t offset = 0;                ///< in the file
  std::uint64_t size = 0;                  ///< in the file
  std::uint64_t blob_offset = 0;           ///< in the compressed blob
  std::uint64_t blob_size = 0;             ///< in the compressed blob; 0: nothing but zeros
  std::uint64_t before = 0;                ///< so much else comes out first
  std::array<unsigned char, 32> sha256{};  ///< of what comes out
};

struct IndexNode {
  std::uint32_t mode = 0;  ///< with the file type, as stat(2)
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t links = 1;
  std::int64_t seconds = 0;  ///< of the last change
  std::uint32_t nanoseconds = 0;
  std::uint32_t major = 0;  ///< of a device
  std::uint32_t minor = 0;
  std::uint64_t size = 0;                                       ///< of a regular file
  std::uint32_t parent = 0;                                     ///< of a directory
  std::string target;                                           ///< of a symbolic link
  std::vector<std::pair<std::string, std::string>> xattrs;      ///< sorted by name
  std::vector<Chunk> chunks;                                    ///< by offset; together the whole file
  std::vector<std::pair<std::string, std::uint32_t>> children;  ///< of a directory, sorted by name
};

/// The first node is the root; a directory stands before what is in it.
struct LayerIndex {
  std::vector<IndexNode> nodes;
  std::uint64_t bytes = 0;  ///< of all files, each counted once
};

/// No piece is larger: it is unpacked in memory.
inline constexpr std::uint64_t kLargestChunk = 64 << 20;
/// Nor takes one of `size` bytes, with those before it, more than this of the blob: they are in memory as
/// well, and no compressor makes more of them.
std::uint64_t most_packed(std::uint64_t size);

std::string encode_index(const LayerIndex& index);
/// DataLoss for everything that encode_index() would not have written: a tree with loops, pieces that overlap
/// or leave gaps, places beyond the `blob_size` bytes of the blob.
Result<LayerIndex> decode_index(std::string_view bytes, std::uint64_t blob_size);

}  // namespace skiff::archive
