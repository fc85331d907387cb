#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/thread.h"
#include "image/transfer/slots.h"
#include "registry/client/repository.h"
#include "spec/digest.h"

namespace skiff::image {

/// Reads a large blob over several connections at a time, where the server takes ranges (RFC 9110, 14.2), and
/// gives the bytes on in their order: parts that come before their turn wait in memory. What is read anew
/// after a failure is asked for from where the order broke off, so that a blob on its way is always its own
/// beginning.
class RangeReader {
 public:
  /// Of the blob `digest`, `size` bytes long. `others` are the further connections that may be had, beside
  /// those of other readers; `part` is how many bytes are asked for at a time. All outlive it.
  RangeReader(registry::Repository& repository, const spec::Digest& digest, std::uint64_t size, Slots& others,
              std::uint64_t part = kPart)
      : repository_(repository), digest_(digest), size_(size), others_(others), part_(part) {}

  /// From `offset` to the end, as Repository::read_blob() gives it. Fewer than four parts come over one
  /// connection, in one answer, and so does all of it from a server without ranges. What goes wrong on a
  /// further connection is not told: it ends, and its part is asked for once more when its turn comes.
  Result<void> read(std::uint64_t offset, const registry::BlobSink& sink, const std::stop_token& stop);

 private:
  /// So much that its request does not count, and so little that some may wait in memory.
  static constexpr std::uint64_t kPart = 8 << 20;
  static constexpr std::uint64_t kLeastParts = 4;
  static constexpr std::uint64_t kMostOthers = 4;

  /// Bytes from a place on, on another connection.
  struct Part {
    std::string bytes;  ///< as far as they were not given on yet
    bool ended = false;
  };
  class Others;

  Result<void> own_part(const registry::BlobSink& sink, const std::stop_token& stop, Others& others);
  Result<bool> give_part(const registry::BlobSink& sink, const std::stop_token& stop);
  void help(const std::stop_token& stop) EXCLUDES(mutex_);
  std::shared_ptr<Part> claim(std::uint64_t& begin, const std::stop_token& stop) EXCLUDES(mutex_);
  bool fetch(std::uint64_t begin, Part& part, const std::stop_token& stop) EXCLUDES(mutex_);
  std::uint64_t end_of(std::uint64_t begin) const { return std::min(begin + part_, size_); }

  registry::Repository& repository_;
  const spec::Digest& digest_;
  const std::uint64_t size_;
  Slots& others_;
  const std::uint64_t part_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t at_ GUARDED_BY(mutex_) = 0;    ///< everything before was given on
  std::uint64_t next_ GUARDED_BY(mutex_) = 0;  ///< from here on nobody has asked yet
  std::map<std::uint64_t, std::shared_ptr<Part>> parts_ GUARDED_BY(mutex_);  ///< by where they begin
};

}  // namespace skiff::image
