#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"
#include "registry/client/authorizer.h"
#include "snapshot/served.h"
#include "spec/digest.h"

/// What lies in a snapshot's folder while its files are served:
///     fs                empty, with the owner and mode of the layer's root
///     lazy              where the files are mounted (snapshot::kServedPlace); lazy-coming until they can
///                       be read there
///     note-lazy         where they come from: LazyNote
///     note-lazy-index   which they are (archive/layer_index.h)
///     note-lazy-blob    the layer's compressed blob, with holes, and
///     note-lazy-map     which of its pieces are in there (blob_cache.h)
namespace skiff::lazy {

inline constexpr const char* kNote = snapshot::kServedNote;
inline constexpr const char* kIndexNote = "note-lazy-index";
inline constexpr const char* kBlobNote = "note-lazy-blob";
inline constexpr const char* kMapNote = "note-lazy-map";

/// Where a layer's files come from. The file has mode 0600, for the credentials.
struct LazyNote {
  std::string group;       ///< the layers of one pull: one process serves them
  std::string image;       ///< "app:v1", for sentences
  std::string repository;  ///< "docker.io/library/app"
  spec::Digest blob;
  std::int64_t size = 0;  ///< of the blob
  std::string media_type;
  spec::Digest diff_id;
  registry::Credentials credentials;
};
void describe(json::Fields& f, LazyNote& note);

/// The note in the snapshot's folder `directory`.
Result<LazyNote> read_note(const std::string& directory);

}  // namespace skiff::lazy
