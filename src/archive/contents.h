#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "archive/layer_index.h"
#include "base/result.h"
#include "spec/layer_limits.h"

namespace skiff::archive {

/// A table of contents larger than this is not read.
inline constexpr std::uint64_t kLargestContents = 64 << 20;

/// A layer's blob, of which a table of contents tells.
struct ContentsOf {
  std::uint64_t size = 0;
  /// Of an eStargz layer: where its table lies. Its tree has the table as a file, as the layer's tar has.
  std::optional<std::uint64_t> estargz;
};

/// The tree that a layer's table of contents tells of: the JSON that zstd:chunked layers carry
/// (containers-storage-zstd-chunked(5)) and eStargz ones (estargz.h); the entries of both are those of CRFS.
/// Whiteouts become overlayfs'. `bytes` is plain or one zstd frame. InvalidArgument for what is malformed;
/// Unsupported for what a tar may do and a table need not (a file that comes twice, a path through a link, a
/// piece without a digest or of more than kLargestChunk bytes, or that takes more than most_packed(), holes
/// that make a million pieces): such a layer has to be unpacked. Exhausted: more than `limits` allow,
/// counting the directories that only paths tell of.
Result<LayerIndex> parse_contents(std::string_view bytes, const ContentsOf& blob,
                                  const spec::LayerLimits& limits);

}  // namespace skiff::archive
