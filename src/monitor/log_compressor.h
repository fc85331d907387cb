#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "base/result.h"
#include "monitor/loop.h"
#include "sys/spawn.h"

namespace skiff::monitor {

/// Compresses a log's old files in a child process of lowest priority, one after the other. The work begins
/// once the writing has been calm for a moment: a program that fills file after file would see them removed
/// before anybody reads them.
class LogCompressor {
 public:
  /// Compresses one file; runs in the child.
  using Work = std::function<Result<void>()>;
  /// `next` names the next file's work, or nothing when there is none.
  LogCompressor(Loop& loop, std::function<std::optional<Work>()> next)
      : loop_(loop), next_(std::move(next)) {}
  ~LogCompressor() { stop(); }

  /// There may be an old file more.
  void schedule();
  /// Gives up what is under way; schedule() begins anew.
  void stop();

 private:
  void begin();
  void done();

  Loop& loop_;
  std::function<std::optional<Work>()> next_;
  std::unique_ptr<Loop::Timer> calm_;
  sys::Process child_;
  std::unique_ptr<Loop::Watch> watch_;
};

}  // namespace skiff::monitor
