#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "spec/digest.h"
#include "spec/layer_limits.h"
#include "sys/fd.h"

namespace skiff::archive {

/// A stream of bytes that is read once from front to back.
class Source {
 public:
  virtual ~Source() = default;
  /// The next bytes, at least one; an empty view at the end. Valid until the next call.
  virtual Result<std::string_view> next() = 0;
};

/// How a stream is compressed, by its first bytes.
enum class Compression : std::uint8_t { None, Gzip, Zstd, Bzip2, Xz };
Compression detect_compression(std::string_view first_bytes);

/// Reads `fd`, which stays the caller's, and decompresses what it finds there: gzip, zstd, xz and bzip2, also
/// several members in a row; anything else comes as it is. InvalidArgument: damaged or truncated data;
/// Exhausted: more than `limits` allow.
Result<std::unique_ptr<Source>> open_source(const sys::Fd& fd, const spec::LayerLimits& limits = {});

/// Another source, whose first bytes can be looked at before they are taken.
class HeadSource final : public Source {
 public:
  /// `inner` outlives it.
  explicit HeadSource(Source& inner) : inner_(inner) {}
  /// The first `size` bytes, fewer when there are no more. Before the first next() only.
  Result<std::string_view> peek(std::size_t size);
  Result<std::string_view> next() override;

 private:
  Source& inner_;
  std::string head_;
  bool taken_ = false;
};

/// Decompresses `inner` as open_source() does.
Result<std::unique_ptr<Source>> decompress(std::unique_ptr<HeadSource> inner,
                                           const spec::LayerLimits& limits = {});

/// Bytes from memory, for tests and small archives.
std::unique_ptr<Source> memory_source(std::string bytes);

/// Passes another source on and computes the digest of what went through.
class DigestSource final : public Source {
 public:
  explicit DigestSource(Source& inner) : inner_(inner) {}
  Result<std::string_view> next() override;
  /// Reads the rest, which the archive may not have needed, and gives the digest of everything.
  Result<spec::Digest> finish();
  /// So many bytes went through.
  std::uint64_t bytes() const { return bytes_; }

 private:
  Source& inner_;
  spec::Hasher hasher_;
  std::uint64_t bytes_ = 0;
};

}  // namespace skiff::archive
