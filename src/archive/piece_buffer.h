#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "archive/buffer.h"
#include "archive/tar_writer.h"
#include "spec/digest.h"

namespace skiff::archive {

/// Gathers the small pieces that a tar is made of into large ones for a sink, and computes the digest of
/// everything on the way.
class PieceBuffer {
 public:
  enum class Digest : std::uint8_t { No, Yes };
  explicit PieceBuffer(const Sink& sink, Digest digest = Digest::Yes)
      : sink_(sink), hashes_(digest == Digest::Yes), buffer_(kSize) {}

  Result<void> put(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t count = std::min(bytes.size(), room().size);
      std::copy_n(bytes.data(), count, room().data);
      TRY(filled(count));
      bytes.remove_prefix(count);
    }
    return {};
  }

  /// Where the next bytes may be put; filled() says how many were.
  struct Room {
    char* data;
    std::size_t size;
  };
  Room room() { return {buffer_.data() + used_, buffer_.size() - used_}; }
  Result<void> filled(std::size_t count) {
    used_ += count;
    total_ += count;
    return used_ == buffer_.size() ? flush() : success();
  }

  Result<void> flush() {
    const std::string_view bytes(buffer_.data(), std::exchange(used_, 0));
    if (bytes.empty()) return {};
    if (hashes_) hasher_.update(bytes);
    return sink_ ? sink_(bytes) : success();
  }

  /// After flush().
  spec::Digest digest() { return hasher_.finish(); }
  std::uint64_t total() const { return total_; }

 private:
  /// Fits a processor's second cache, so that what is hashed and written is still there.
  static constexpr std::size_t kSize = 256 << 10;

  const Sink& sink_;
  const bool hashes_;
  Buffer buffer_;
  spec::Hasher hasher_;
  std::size_t used_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace skiff::archive
