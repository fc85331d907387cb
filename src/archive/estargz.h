#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

/// eStargz layers (stargz-snapshotter, docs/estargz.md): a gzipped tar in which each piece of a file begins a
/// gzip member, followed by a member that holds a tar with the table of contents alone, and by a footer that
/// tells where that is.
namespace skiff::archive {

inline constexpr std::uint64_t kEstargzFooter = 51;  ///< bytes
inline constexpr const char* kEstargzContents = "stargz.index.json";

/// Where in the blob the table's member begins, as the blob's last kEstargzFooter bytes tell.
/// InvalidArgument: they are no footer, or tell of a place where nothing can be.
Result<std::uint64_t> estargz_contents(std::string_view footer, std::uint64_t blob_size);

}  // namespace skiff::archive
