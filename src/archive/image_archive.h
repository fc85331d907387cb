#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "archive/source.h"
#include "base/json.h"
#include "base/result.h"
#include "sys/fd.h"

/// An archive of images is one tar: `docker save` in all its forms, an OCI layout. Layers and documents lie
/// in it in any order, and what they are to each other stands in documents that mostly come last.
namespace skiff::archive {

class SideThread;

struct ImageArchiveEntry {
  enum class Kind : std::uint8_t {
    Document,  ///< a small file, stored as `place`
    Layer,     ///< unpacked: `place`/fs has its files, `place`/note-recipe the recipe of its tar
    Known,     ///< blobs/sha256/<hex> of a digest that the reader was told of: passed over
    Link,      ///< stands for the entry `link`
  };
  std::string name;  ///< cleaned: "blobs/sha256/4e60..."
  Kind kind = Kind::Document;
  std::string link;
  std::string place;            ///< name in the folder
  std::string digest;           ///< of a layer's uncompressed tar
  std::uint64_t bytes = 0;      ///< sum of the sizes of a layer's files
  std::uint64_t tar_bytes = 0;  ///< of a layer, uncompressed
  std::string error;            ///< why a layer could not be unpacked; whoever needs it says so
  int error_kind = 0;
};

void describe(json::Fields& f, ImageArchiveEntry& entry);

/// How far the reading of an entry that is a layer has come.
struct EntryProgress {
  std::string name;           ///< of the entry
  std::uint64_t current = 0;  ///< bytes, as they lie in the archive
  std::uint64_t total = 0;
};
using OnEntryProgress = std::function<void(const EntryProgress&)>;

void describe(json::Fields& f, EntryProgress& progress);

/// What a document may hold at most. Larger entries that are no layers are left out, as are names that no
/// format has.
inline constexpr std::uint64_t kMostDocument = 8 << 20;

/// Reads an archive of images from front to back, once: layers are unpacked as they come, each into a folder
/// of its own below `folder`, documents become files there. `known` has the hexadecimal digits of digests
/// whose layers need not be unpacked. `aside` reads and hashes beside the unpacking. InvalidArgument: no tar
/// archive, or a truncated one; Exhausted: more entries or documents than images have, or more in a layer
/// than `limits` allow. `progress` is told every few megabytes.
Result<std::vector<ImageArchiveEntry>> unpack_images(Source& tar, const sys::Fd& folder,
                                                     const std::set<std::string>& known,
                                                     const spec::LayerLimits& limits, SideThread& aside,
                                                     const OnEntryProgress& progress = {});

}  // namespace skiff::archive
