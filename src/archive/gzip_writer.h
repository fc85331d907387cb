#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::archive {

/// Compresses a stream by ISA-L: one gzip member without name and time, so that the same bytes give the same
/// bytes.
class GzipWriter {
 public:
  GzipWriter();
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  /// Appends what comes of `plain` to `out`; with `last` also what ends the stream: the last call.
  Result<void> write(std::string_view plain, bool last, std::string& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skiff::archive
