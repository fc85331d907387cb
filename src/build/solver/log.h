#pragma once

#include <condition_variable>
#include <functional>
#include <string>
#include <vector>

#include "base/thread.h"
#include "build/solver/op.h"

namespace skiff::build {

/// What a piece of work printed, kept so that everybody who waits for it can read it from its start.
/// Thread-safe.
class OutputLog : public Sink {
 public:
  struct Chunk {
    Stream stream = Stream::Output;
    std::string text;
  };

  void write(Stream stream, std::string_view text) override;
  /// No more is coming; wakes all readers.
  void close();
  /// The chunk at `index`; waits for it. Nothing when the log ended before it, or `deadline` passed.
  struct Read {
    std::optional<Chunk> chunk;
    bool closed = false;
  };
  Read read(std::size_t index, std::chrono::steady_clock::time_point deadline);

 private:
  Mutex mutex_;
  std::condition_variable changed_;
  std::vector<Chunk> chunks_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace skiff::build
