#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "meta/database.h"
#include "spec/digest.h"
#include "spec/reference.h"

namespace skiff::image {

/// A blob that holds a layer, and a repository that has it.
struct KnownBlob {
  spec::Digest digest;
  std::int64_t size = 0;
  std::string media_type;
  std::string domain;  ///< "docker.io"
  std::string path;    ///< "library/busybox"
  friend bool operator==(const KnownBlob&, const KnownBlob&) = default;
};
void describe(json::Fields& f, KnownBlob& blob);

/// Remembers for each layer, by its diff id, the blobs that it was pulled or pushed as: a layer that a
/// registry has is not sent there again, and one that another repository of it has is mounted. Only hints:
/// registries are asked. Thread-safe.
class BlobLedger {
 public:
  explicit BlobLedger(meta::Database& database) : database_(database) {}

  /// The latest first.
  Result<std::vector<KnownBlob>> blobs_of(const spec::Digest& diff_id);
  Result<void> add(const spec::Digest& diff_id, const KnownBlob& blob);
  /// It was not where we thought.
  Result<void> forget(const spec::Digest& diff_id, const KnownBlob& blob);

 private:
  meta::Database& database_;
};

}  // namespace skiff::image
