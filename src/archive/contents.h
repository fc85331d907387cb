#pragma once

#include <cstdint>
#include <string_view>

#include "archive/layer_index.h"
#include "base/result.h"
#include "spec/layer_limits.h"

namespace skiff::archive {

/// A table of contents larger than this is not read.
inline constexpr std::uint64_t kLargestContents = 64 << 20;

/// The tree that a layer's table of contents tells of: the JSON that zstd:chunked layers carry
/// (containers-storage-zstd-chunked(5); its entries are those of CRFS). Whiteouts become overlayfs'. `bytes`
/// is plain or one zstd frame; `blob_size` that of the layer's blob. InvalidArgument for what is malformed;
/// Unsupported for what a tar may do and a table need not (a file that comes twice, a path through a link, a
/// piece without a digest or of more than kLargestChunk bytes, or that takes more than most_packed()): such a
/// layer has to be unpacked. Exhausted: more than `limits` allow, counting the directories that only paths
/// tell of.
Result<LayerIndex> parse_contents(std::string_view bytes, std::uint64_t blob_size,
                                  const spec::LayerLimits& limits);

}  // namespace skiff::archive
