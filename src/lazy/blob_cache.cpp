#include "lazy/blob_cache.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

#include "sys/file.h"

namespace skiff::lazy {
namespace {

Result<void> write_at(const sys::Fd& file, std::uint64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("write a layer's bytes");
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

Result<void> read_at(const sys::Fd& file, std::uint64_t offset, char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::pread(file.get(), to, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("read a layer's bytes");
    if (count == 0) return Error(Kind::DataLoss, "the file of a layer's bytes was cut short");
    to += count;
    size -= static_cast<std::size_t>(count);
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<BlobCache>> BlobCache::open(const std::string& file, const std::string& map,
                                                   std::uint64_t size, RangeSource& source) {
  if (size == 0) return Error(Kind::InvalidArgument, "a layer of no bytes has no pieces");
  sys::Fd blob = TRY(sys::open_file(file, O_RDWR | O_CREAT, 0600));
  if (::ftruncate(blob.get(), static_cast<off_t>(size)) != 0) return fail_errno("truncate {}", file);
  const sys::Fd bits = TRY(sys::open_file(map, O_RDWR | O_CREAT, 0600));
  const std::uint64_t length = (pieces_of(size) + 7) / 8;
  if (::ftruncate(bits.get(), static_cast<off_t>(length)) != 0) return fail_errno("truncate {}", map);
  // Writing to a hole of a mapped file on a full disk is SIGBUS.
  if (::fallocate(bits.get(), 0, 0, static_cast<off_t>(length)) != 0 && errno != EOPNOTSUPP)
    return fail_errno("allocate {}", map);
  void* mapped = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, bits.get(), 0);
  if (mapped == MAP_FAILED) return fail_errno("map {}", map);
  return std::unique_ptr<BlobCache>(
      new BlobCache(std::move(blob), size, source, static_cast<unsigned char*>(mapped)));
}

BlobCache::~BlobCache() { ::munmap(map_, (pieces_ + 7) / 8); }

bool BlobCache::here(std::uint64_t piece) const {
  return std::atomic_ref(map_[piece / 8]).load(std::memory_order_acquire) >> (piece % 8) & 1;
}

void BlobCache::set(std::uint64_t piece, bool here) {
  const auto bit = static_cast<unsigned char>(1U << (piece % 8));
  const std::atomic_ref byte(map_[piece / 8]);
  if (here)
    byte.fetch_or(bit, std::memory_order_release);
  else
    byte.fetch_and(static_cast<unsigned char>(~bit), std::memory_order_release);
}

Result<std::string> BlobCache::read(std::uint64_t offset, std::size_t size, const std::stop_token& stop) {
  if (offset > size_ || size > size_ - offset)
    return fail(Kind::InvalidArgument, "bytes {} to {} of a layer of {}", offset, offset + size, size_);
  if (size > 0) TRY(ensure(offset / kPieceSize, (offset + size - 1) / kPieceSize + 1, true, stop));
  std::string bytes(size, '\0');
  TRY(read_at(file_, offset, bytes.data(), size));
  return bytes;
}

void BlobCache::forget(std::uint64_t offset, std::uint64_t size) {
  const MutexLock lock(mutex_);
  for (std::uint64_t piece = offset / kPieceSize; piece < pieces_ && piece * kPieceSize < offset + size;
       ++piece)
    if (!busy_[piece]) set(piece, false);
}

/// Those that another thread is fetching are waited for.
Result<void> BlobCache::ensure(std::uint64_t first, std::uint64_t end, bool wanted,
                               const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  for (std::uint64_t at = first; at < end;) {
    std::uint64_t until = at;
    {
      MutexLock lock(mutex_);
      while (busy_[at] && !stop.stop_requested()) lock.wait(changed_);
      if (stop.stop_requested()) return Error(Kind::Cancelled, "context canceled");
      if (here(at)) {
        ++at;
        continue;
      }
      const auto most = wanted ? std::clamp(at + kLeastAtOnce / kPieceSize, end, pieces_) : end;
      for (; until < most && until - at < kMostAtOnce / kPieceSize && !busy_[until] && !here(until); ++until)
        busy_[until] = true;
    }
    if (wanted) last_wanted_ = std::chrono::steady_clock::now();
    TRY(fetch(at, until, stop));
    at = until;
  }
  return {};
}

/// The caller has marked the pieces as busy.
Result<void> BlobCache::fetch(std::uint64_t first, std::uint64_t end, const std::stop_token& stop) {
  const std::uint64_t offset = first * kPieceSize;
  const std::uint64_t size = std::min(end * kPieceSize, size_) - offset;
  const auto work = [&]() -> Result<void> {
    const auto bytes = TRY(source_.read(offset, size, stop));
    if (bytes.size() != size)
      return fail(Kind::Internal, "{} bytes of a layer instead of {}", bytes.size(), size);
    return write_at(file_, offset, bytes);
  };
  auto done = work();
  const MutexLock lock(mutex_);
  for (std::uint64_t piece = first; piece < end; ++piece) {
    if (done.ok()) set(piece, true);
    busy_[piece] = false;
  }
  changed_.notify_all();
  return done;
}

Result<bool> BlobCache::fetch_some(const std::stop_token& stop) {
  for (std::uint64_t piece = 0; piece < pieces_; ++piece) {
    if (here(piece)) continue;
    // As far as it is missing; what somebody else is fetching is waited for.
    std::uint64_t end = piece;
    while (end < pieces_ && end - piece < kMostAtOnce / kPieceSize && !here(end)) ++end;
    TRY(ensure(piece, end, false, stop));
    return true;
  }
  return false;
}

Result<bool> BlobCache::verify(const spec::Digest& digest) const {
  spec::Hasher hasher(digest.algorithm());
  std::string bytes(1 << 20, '\0');
  for (std::uint64_t at = 0; at < size_;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), size_ - at));
    TRY(read_at(file_, at, bytes.data(), size));
    hasher.update(std::string_view(bytes).substr(0, size));
    at += size;
  }
  return hasher.finish() == digest;
}

}  // namespace skiff::lazy
