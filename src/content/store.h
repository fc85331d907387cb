#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "spec/digest.h"
#include "sys/fd.h"

namespace skiff::content {

/// Blobs by digest. A blob is there whole and verified, or not at all: bytes go to a temporary file, commit
/// checks the digest, syncs, renames, and syncs the folder. Blobs never change. Thread-safe.
class Store {
 public:
  /// One blob on its way in. Dropped without commit() it leaves nothing.
  class Ingest {
   public:
    virtual ~Ingest() = default;
    virtual Result<void> write(std::string_view bytes) = 0;
    virtual std::uint64_t size() const = 0;
    /// Makes the blob visible under its digest. DataLoss when `expected` is given and differs.
    virtual Result<spec::Digest> commit(const spec::Digest* expected = nullptr) = 0;
  };

  /// `root` is made when missing; leftovers of a crash in it are removed.
  static Result<std::unique_ptr<Store>> open(const std::string& root);
  virtual ~Store() = default;

  virtual Result<std::unique_ptr<Ingest>> ingest() = 0;
  /// Small blobs (configs, manifests) at once.
  virtual Result<spec::Digest> put(std::string_view bytes) = 0;
  virtual Result<std::string> read(const spec::Digest& digest) = 0;  ///< verified; NotFound, DataLoss
  virtual Result<sys::Fd> open_blob(const spec::Digest& digest) = 0;
  virtual Result<std::uint64_t> size_of(const spec::Digest& digest) = 0;
  virtual bool contains(const spec::Digest& digest) = 0;
  virtual Result<void> remove(const spec::Digest& digest) = 0;
};

}  // namespace skiff::content
