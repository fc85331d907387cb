#include "lazy/layer_files.h"

#include <zstd.h>

#include <openssl/sha.h>

#include <algorithm>

#include "archive/source.h"
#include "base/strings.h"

namespace skiff::lazy {
namespace {

constexpr std::uint64_t kMostKept = 16 << 20;
/// Fetched anew once: it may have been damaged on the way, or on the disk.
constexpr int kMostAttempts = 2;

/// Exactly `size` bytes out of gzip members, after `before` others; what follows them in `packed` is not
/// looked at.
Result<std::string> gunzip(std::string packed, std::uint64_t before, std::size_t size) {
  const auto inner = archive::memory_source(std::move(packed));
  const auto source = TRY(archive::decompress(std::make_unique<archive::HeadSource>(*inner)));
  std::string bytes;
  bytes.reserve(size);
  while (bytes.size() < size) {
    auto piece = TRY(source->next());
    if (piece.empty())
      return fail(Kind::DataLoss, "it unpacks to {} bytes instead of {}", bytes.size(), size);
    const auto passed = static_cast<std::size_t>(std::min<std::uint64_t>(before, piece.size()));
    before -= passed;
    bytes += piece.substr(passed, size - bytes.size());
  }
  return bytes;
}

/// Exactly `size` bytes out of zstd frames; what follows them in `packed` is not looked at.
Result<std::string> unzstd(std::string_view packed, std::size_t size) {
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  std::string bytes(size, '\0');
  ZSTD_outBuffer out{bytes.data(), bytes.size(), 0};
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  while (out.pos < out.size) {
    const std::size_t before = out.pos + in.pos;
    const std::size_t left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left)) return fail(Kind::DataLoss, "it cannot be unpacked: {}", ZSTD_getErrorName(left));
    if (out.pos < out.size && out.pos + in.pos == before)
      return fail(Kind::DataLoss, "it unpacks to {} bytes instead of {}", out.pos, size);
  }
  return bytes;
}

Result<std::string> decompress(std::string packed, const archive::Chunk& chunk) {
  const auto size = static_cast<std::size_t>(chunk.size);
  if (archive::detect_compression(packed) != archive::Compression::Gzip) {
    auto bytes = TRY(unzstd(packed, static_cast<std::size_t>(chunk.before) + size));
    return chunk.before > 0 ? bytes.substr(static_cast<std::size_t>(chunk.before)) : std::move(bytes);
  }
  auto bytes = gunzip(std::move(packed), chunk.before, size);
  if (bytes.ok() || bytes.error().kind() == Kind::DataLoss) return bytes;
  return fail(Kind::DataLoss, "it cannot be unpacked: {}", bytes.error().message());
}

}  // namespace

Result<std::string> LayerFiles::read(const archive::IndexNode& file, std::uint64_t offset, std::size_t size,
                                     const std::stop_token& stop) {
  std::string out;
  if (offset >= file.size) return out;
  size = static_cast<std::size_t>(std::min<std::uint64_t>(size, file.size - offset));
  out.reserve(size);
  auto chunk = std::upper_bound(file.chunks.begin(), file.chunks.end(), offset,
                                [](std::uint64_t at, const archive::Chunk& one) { return at < one.offset; });
  if (chunk != file.chunks.begin()) --chunk;
  for (; out.size() < size && chunk != file.chunks.end(); ++chunk) {
    const std::uint64_t skip = offset + out.size() - chunk->offset;
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(size - out.size(), chunk->size - skip));
    if (chunk->blob_size == 0) {
      out.append(count, '\0');
      continue;
    }
    const Bytes bytes = TRY(bytes_of(*chunk, stop));
    out.append(*bytes, skip, count);
  }
  return out;
}

Result<LayerFiles::Bytes> LayerFiles::bytes_of(const archive::Chunk& chunk, const std::stop_token& stop) {
  {
    const MutexLock lock(mutex_);
    for (auto at = kept_.begin(); at != kept_.end(); ++at)
      if (at->blob_offset == chunk.blob_offset && at->bytes->size() == chunk.size &&
          at->sha256 == chunk.sha256) {
        kept_.splice(kept_.begin(), kept_, at);
        return kept_.front().bytes;
      }
  }
  auto bytes = TRY(unpack(chunk, stop));
  const MutexLock lock(mutex_);
  kept_.push_front({chunk.blob_offset, chunk.sha256, bytes});
  kept_bytes_ += bytes->size();
  while (kept_bytes_ > kMostKept && kept_.size() > 1) {
    kept_bytes_ -= kept_.back().bytes->size();
    kept_.pop_back();
  }
  return bytes;
}

Result<LayerFiles::Bytes> LayerFiles::unpack(const archive::Chunk& chunk, const std::stop_token& stop) {
  for (int attempt = 1;; ++attempt) {
    const auto once = [&]() -> Result<std::string> {
      auto bytes = TRY(decompress(TRY(cache_.read(chunk.blob_offset, chunk.blob_size, stop)), chunk));
      std::array<unsigned char, 32> sha256{};
      ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), sha256.data());
      if (sha256 == chunk.sha256) return bytes;
      const std::string_view wanted(reinterpret_cast<const char*>(chunk.sha256.data()), chunk.sha256.size());
      return fail(Kind::DataLoss, "its digest is not sha256:{}", to_hex(wanted));
    };
    auto bytes = once();
    if (bytes.ok()) return std::make_shared<const std::string>(*std::move(bytes));
    const bool again = bytes.error().kind() == Kind::DataLoss && attempt < kMostAttempts;
    // Also of the last attempt: the next reader may be luckier.
    if (bytes.error().kind() == Kind::DataLoss) cache_.forget(chunk.blob_offset, chunk.blob_size);
    if (again) continue;
    if (bytes.error().kind() != Kind::Cancelled)
      complain_(
          fmt::format("the {} bytes at {}: {}", chunk.blob_size, chunk.blob_offset, bytes.error().message()));
    return bytes.error();
  }
}

}  // namespace skiff::lazy
