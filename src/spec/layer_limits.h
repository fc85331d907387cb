#pragma once

#include <cstdint>

namespace skiff::spec {

/// How much may come out of one layer, or of another archive that somebody else made; 0: no limit.
struct LayerLimits {
  std::uint64_t bytes = 0;  ///< of the uncompressed tar; holes of sparse files take no room and do not count
  std::uint64_t entries = 0;  ///< files, directories, links ...
  /// So many bytes may come out of a compressed one. The first kLayerFreeBytes are not asked about.
  std::uint64_t ratio = 0;
};

/// Small archives of much emptiness are common and harm nobody.
inline constexpr std::uint64_t kLayerFreeBytes = 1 << 30;

/// What holds when nobody says otherwise. gzip reaches a ratio of 1032 and zstd some ten thousand, both with
/// nothing but zeros; images of programs and data lie between 2 and 20.
inline constexpr LayerLimits kDefaultLayerLimits{100ULL << 30, 10'000'000, 200};

}  // namespace skiff::spec
