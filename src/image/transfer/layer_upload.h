#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "archive/compressor.h"
#include "archive/source.h"
#include "image/store.h"
#include "registry/client/repository.h"

namespace skiff::image {

/// A layer's tar on its way out, compressed: made by a thread, read from one end to the other. The same layer
/// always gives the same bytes.
class LayerReader {
 public:
  /// `compression` is Gzip or Zstd; `progress` hears how many bytes of the tar went by.
  LayerReader(Store& store, const Layer& layer, archive::Compression compression,
              std::function<void(std::uint64_t)> progress);
  ~LayerReader();
  LayerReader(const LayerReader&) = delete;
  LayerReader& operator=(const LayerReader&) = delete;

  Result<void> open();
  /// Up to `size` compressed bytes; 0 at the end. What goes wrong with the tar comes out here.
  Result<std::size_t> read(char* buffer, std::size_t size);
  /// Of everything that was read: once, after the end.
  spec::Digest digest() { return hasher_.finish(); }
  std::uint64_t size() const { return size_; }

 private:
  Result<void> refill();
  Result<void> join();

  Store& store_;
  const Layer layer_;
  const archive::Compression compression_;
  const std::function<void(std::uint64_t)> progress_;
  sys::Fd tar_;
  std::thread writer_;
  Result<void> written_;
  std::unique_ptr<archive::Compressor> compressor_;
  spec::Hasher hasher_;
  std::string plain_;
  std::string ready_;
  std::size_t taken_ = 0;  ///< of `ready_`
  bool ended_ = false;
  std::uint64_t read_ = 0;  ///< of the tar
  std::uint64_t size_ = 0;
};

}  // namespace skiff::image
