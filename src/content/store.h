#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "spec/digest.h"
#include "sys/fd.h"

namespace skiff::content {

/// A blob as the folder shows it: nothing of it was read.
struct BlobFile {
  spec::Digest digest;
  std::uint64_t bytes = 0;
  Time put{};  ///< when it was put, or put once more
};

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

  /// A blob whose bytes are kept as far as they came, also over a restart of the engine: a download that can
  /// be resumed. Nothing is promised about the bytes before their digest was computed, and the blob is not
  /// visible. One writer; file() may be read beside it up to size().
  class Partial {
   public:
    virtual ~Partial() = default;
    virtual std::uint64_t size() const = 0;
    virtual Result<void> append(std::string_view bytes) = 0;
    virtual const sys::Fd& file() const = 0;
    /// Of everything that is here.
    virtual spec::Digest digest() = 0;
    /// Forgets what is here, to begin anew.
    virtual Result<void> clear() = 0;
    /// Makes what is here, whose digest somebody has looked at, the blob of that digest; safe on disk. It is
    /// not written to any more.
    virtual Result<void> keep() = 0;
    /// Removes the file: the last call.
    virtual void discard() = 0;
  };

  /// `root` is made when missing; leftovers of a crash in it are removed.
  static Result<std::unique_ptr<Store>> open(const std::string& root);
  virtual ~Store() = default;

  virtual Result<std::unique_ptr<Ingest>> ingest() = 0;
  /// What is here of a blob; empty when nothing is. Whoever asks sees to it that one is open at a time.
  virtual Result<std::unique_ptr<Partial>> partial(const spec::Digest& digest) = 0;
  /// Small blobs (configs, manifests) at once. One that is here counts as put now.
  virtual Result<spec::Digest> put(std::string_view bytes) = 0;
  virtual Result<std::string> read(const spec::Digest& digest) = 0;  ///< verified; NotFound, DataLoss
  virtual Result<sys::Fd> open_blob(const spec::Digest& digest) = 0;
  virtual Result<std::uint64_t> size_of(const spec::Digest& digest) = 0;
  virtual bool contains(const spec::Digest& digest) = 0;
  virtual Result<void> remove(const spec::Digest& digest) = 0;
  /// All blobs, in the order of their digests.
  virtual Result<std::vector<BlobFile>> list() = 0;
};

}  // namespace skiff::content
