#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread.h"
#include "registry/server/gate.h"
#include "registry/server/manifest.h"
#include "registry/server/storage.h"
#include "spec/digest.h"
#include "spec/oci_image.h"

namespace skiff::registry::server {

struct StoredManifest {
  spec::Digest digest;
  std::string media_type;
  std::string bytes;
};

/// What repositories hold: blobs, manifests, tags and referrers, as small objects that point at blobs which
/// all repositories share.
///
///     blobs/<algorithm>/<two digits>/<hex>                             bytes, also of manifests
///     repositories/<name>/_blobs/<algorithm>/<hex>                     "<size>"
///     repositories/<name>/_manifests/<algorithm>/<hex>                 {"mediaType": ..., "size": ...}
///     repositories/<name>/_tags/<tag>                                  "<digest>"
///     repositories/<name>/_referrers/<algorithm>/<hex>/<digest, '-'>   the referrer's descriptor
///
/// A component of a name never begins with '_', so that these never meet a repository. What is pointed at is
/// written before what points at it, and removed after it, so that a crash leaves garbage at worst.
/// Names and digests are well formed: callers have checked them. Thread-safe.
class Repositories {
 public:
  /// What nobody refers to is garbage once it has been unused for `grace`.
  Repositories(Storage& storage, std::chrono::seconds grace) : storage_(storage), grace_(grace) {}

  // Blobs.
  Result<std::uint64_t> blob_size(const std::string& name, const spec::Digest& digest);  ///< NotFound
  /// As blob_size(), for somebody who will push a manifest that names the blob: it stays for `grace`.
  Result<std::uint64_t> use_blob(const std::string& name, const spec::Digest& digest);
  /// NotFound. DataLoss when the repository has it but its bytes are gone.
  Result<Content> open_blob(const std::string& name, const spec::Digest& digest);
  /// Makes `incoming`, whose digest was checked, a blob of the repository.
  Result<void> add_blob(const std::string& name, const spec::Digest& digest, Incoming& incoming);
  /// False when `from` has no such blob.
  Result<bool> mount_blob(const std::string& name, const std::string& from, const spec::Digest& digest);
  Result<void> remove_blob(const std::string& name, const spec::Digest& digest);  ///< NotFound

  // Manifests.
  Result<spec::Digest> resolve(const std::string& name, const std::string& tag);         ///< NotFound
  Result<StoredManifest> manifest(const std::string& name, const spec::Digest& digest);  ///< NotFound
  /// Stores a manifest and, if `tag` is not empty, points the tag at it. NotFound names the first blob or
  /// manifest that it needs and the repository has not.
  Result<void> put_manifest(const std::string& name, const std::string& tag, const spec::Digest& digest,
                            std::string_view bytes, const ManifestFacts& facts);
  /// As put_manifest(), for a copy of another registry's: what it names need not be here.
  Result<void> keep_manifest(const std::string& name, const std::string& tag, const spec::Digest& digest,
                             std::string_view bytes, const ManifestFacts& facts);
  /// How long ago the tag was pointed at its manifest, or confirmed to be so. NotFound.
  Result<std::chrono::nanoseconds> tag_age(const std::string& name, const std::string& tag);
  Result<void> touch_tag(const std::string& name, const std::string& tag);
  /// With all its tags. NotFound.
  Result<void> remove_manifest(const std::string& name, const spec::Digest& digest);
  Result<void> remove_tag(const std::string& name, const std::string& tag);  ///< NotFound

  // Lists, in the order of their bytes.
  bool exists(const std::string& name);
  Result<std::vector<std::string>> tags(const std::string& name);
  Result<std::vector<spec::oci::Descriptor>> referrers(const std::string& name, const spec::Digest& subject);
  /// Repositories that hold a manifest.
  Result<std::vector<std::string>> names();
  Result<std::vector<std::string>> names_with_blobs();
  /// Bytes of a repository's blobs, each counted once.
  Result<std::uint64_t> usage(const std::string& name);

 private:
  friend class Collector;

  /// The same digests during a collection: what was linked or referred to since it began is no garbage.
  struct Protected {
    bool active = false;
    std::set<std::string> keys;
  };

  void protect(const std::string& key);
  Result<void> keep_young(const std::string& key);
  Result<void> link_blob(const std::string& name, const spec::Digest& digest, std::uint64_t size);
  Result<void> need(const std::string& name, const ManifestFacts& facts);
  Result<void> write_manifest(const std::string& name, const std::string& tag, const spec::Digest& digest,
                              std::string_view bytes, const ManifestFacts& facts);
  Result<void> put_referrer(const std::string& name, const spec::Digest& digest, std::size_t size,
                            const ManifestFacts& facts);
  Result<void> drop_referrer(const std::string& name, const spec::Digest& digest);
  Result<void> find_names(const std::string& folder, std::string_view kind, std::vector<std::string>& names);
  Result<std::vector<std::string>> names_with(std::string_view kind);

  Storage& storage_;
  const std::chrono::seconds grace_;
  /// Shared by everything that points at something, alone for what removes something.
  Gate gate_;
  Mutex mutex_;
  Protected protected_ GUARDED_BY(mutex_);
};

/// The keys of the objects above.
std::string blob_key(const spec::Digest& digest);
std::string link_key(const std::string& name, std::string_view kind, const spec::Digest& digest);
std::string repository_key(const std::string& name, std::string_view kind);

}  // namespace skiff::registry::server
