#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <stop_token>
#include <string>

#include "archive/layer_index.h"
#include "base/result.h"
#include "base/thread.h"
#include "lazy/blob_cache.h"

namespace skiff::lazy {

/// The files of a layer as its index tells of them, their contents from its blob: fetched, unpacked and
/// verified when they are read. Thread-safe.
class LayerFiles {
 public:
  /// `cache` outlives it. `complain` hears of every piece that cannot be had.
  LayerFiles(archive::LayerIndex index, BlobCache& cache,
             std::function<void(const std::string& sentence)> complain)
      : index_(std::move(index)), cache_(cache), complain_(std::move(complain)) {}

  const archive::LayerIndex& index() const { return index_; }
  /// Nothing for a number that no node has.
  const archive::IndexNode* node(std::uint64_t number) const {
    return number < index_.nodes.size() ? &index_.nodes[number] : nullptr;
  }

  /// Up to `size` bytes of a regular file, fewer only at its end. DataLoss for what is not what the layer's
  /// table of contents says, also when it is fetched anew.
  Result<std::string> read(const archive::IndexNode& file, std::uint64_t offset, std::size_t size,
                           const std::stop_token& stop) EXCLUDES(mutex_);

 private:
  using Bytes = std::shared_ptr<const std::string>;
  /// What was unpacked last: a chunk is read in several pieces. A table may claim two digests of one place.
  struct Kept {
    std::uint64_t blob_offset;
    std::array<unsigned char, 32> sha256;
    Bytes bytes;
  };
  Result<Bytes> bytes_of(const archive::Chunk& chunk, const std::stop_token& stop) EXCLUDES(mutex_);
  Result<Bytes> unpack(const archive::Chunk& chunk, const std::stop_token& stop);

  const archive::LayerIndex index_;
  BlobCache& cache_;
  const std::function<void(const std::string&)> complain_;
  Mutex mutex_;
  std::list<Kept> kept_ GUARDED_BY(mutex_);  ///< the latest first
  std::uint64_t kept_bytes_ GUARDED_BY(mutex_) = 0;
};

}  // namespace skiff::lazy
