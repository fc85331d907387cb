#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread.h"
#include "lazy/range_source.h"
#include "spec/digest.h"
#include "sys/fd.h"

namespace skiff::lazy {

/// A compressed blob that comes here piece by piece, each piece once: a file as large as the blob, with
/// holes, and a map of the pieces that are in it. Several processes may share the two. Nothing is synced:
/// after a power loss the map may say too much, which digests tell, and forget() mends. Thread-safe.
class BlobCache {
 public:
  /// What is asked for at a time is a multiple of this.
  static constexpr std::uint64_t kPieceSize = 128 << 10;
  /// Whoever waits for less than this gets what lies behind it as well: a round trip costs as much.
  static constexpr std::uint64_t kLeastAtOnce = 512 << 10;
  /// The most that is asked for at once.
  static constexpr std::uint64_t kMostAtOnce = 8 << 20;

  /// Makes the files unless they are there. `source` outlives it.
  static Result<std::unique_ptr<BlobCache>> open(const std::string& file, const std::string& map,
                                                 std::uint64_t size, RangeSource& source);
  ~BlobCache();
  BlobCache(const BlobCache&) = delete;
  BlobCache& operator=(const BlobCache&) = delete;

  /// Bytes of the blob, fetched if need be. Errors: the source's, and those of the disk.
  Result<std::string> read(std::uint64_t offset, std::size_t size, const std::stop_token& stop)
      EXCLUDES(mutex_);
  /// The pieces in which these bytes lie are to be fetched anew.
  void forget(std::uint64_t offset, std::uint64_t size) EXCLUDES(mutex_);
  /// When somebody last waited for bytes that were not here.
  std::chrono::steady_clock::time_point last_wanted() const { return last_wanted_.load(); }
  /// Fetches the next pieces that are missing; false when there are none.
  Result<bool> fetch_some(const std::stop_token& stop) EXCLUDES(mutex_);
  /// Whether the whole blob, all of which is here, has this digest.
  Result<bool> verify(const spec::Digest& digest) const;

  std::uint64_t size() const { return size_; }

 private:
  BlobCache(sys::Fd file, std::uint64_t size, RangeSource& source, unsigned char* map)
      : file_(std::move(file)),
        size_(size),
        pieces_(pieces_of(size)),
        source_(source),
        map_(map),
        busy_(pieces_) {}
  static std::uint64_t pieces_of(std::uint64_t size) { return (size + kPieceSize - 1) / kPieceSize; }

  bool here(std::uint64_t piece) const;
  void set(std::uint64_t piece, bool here);
  Result<void> ensure(std::uint64_t first, std::uint64_t end, bool wanted, const std::stop_token& stop)
      EXCLUDES(mutex_);
  Result<void> fetch(std::uint64_t first, std::uint64_t end, const std::stop_token& stop) EXCLUDES(mutex_);

  const sys::Fd file_;
  const std::uint64_t size_;
  const std::uint64_t pieces_;
  RangeSource& source_;
  std::atomic<std::chrono::steady_clock::time_point> last_wanted_{};
  unsigned char* const map_;  ///< a bit a piece, shared with the file
  Mutex mutex_;
  std::condition_variable changed_;
  std::vector<bool> busy_ GUARDED_BY(mutex_);  ///< being fetched by one of our threads
};

}  // namespace skiff::lazy
