#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::archive {

/// Compresses a stream, with several threads where there is enough of it. The same bytes give the same bytes,
/// whatever the pieces that they come in and the number of threads.
class Compressor {
 public:
  virtual ~Compressor() = default;
  /// Appends what is ready to `out`, which may be nothing of `plain`; with `last` everything that is left and
  /// what ends the stream: the last call.
  virtual Result<void> write(std::string_view plain, bool last, std::string& out) = 0;
};

/// One gzip member (RFC 1952) without name and time. At most `threads` threads beside the caller's.
std::unique_ptr<Compressor> gzip_compressor(unsigned threads);
/// One zstd frame (RFC 8878) with a checksum.
Result<std::unique_ptr<Compressor>> zstd_compressor(unsigned threads);

}  // namespace skiff::archive
