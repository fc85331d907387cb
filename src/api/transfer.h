#pragma once

#include <condition_variable>
#include <deque>
#include <functional>

#include "api/call.h"
#include "base/thread.h"
#include "image/transfer/progress.h"

namespace skiff::api {

/// The credentials that came along, in X-Registry-Auth.
registry::Credentials credentials_of(const Call& call);
/// As Docker's engine answers what a registry said: 401 when it wants to know who asks, 500 when it cannot be
/// asked.
Result<void> conclude(Call& call, Result<void> done);

/// Answers a call with the progress lines of work on another thread. A client that reads slowly misses steps
/// of a bar, and holds nobody up.
class TransferLines final : public image::Progress {
 public:
  explicit TransferLines(Call& call) : call_(call) {}

  /// Does `work` and sends what it says; an error before its first line is returned, a later one is the last
  /// line.
  Result<void> run(const std::function<Result<void>(image::Progress&)>& work);

  void line(spec::docker::ProgressLine line) override EXCLUDES(mutex_);

 private:
  bool next(spec::docker::ProgressLine& line) EXCLUDES(mutex_);
  void send(const spec::docker::ProgressLine& line);

  Call& call_;
  Mutex mutex_;
  std::condition_variable changed_;
  std::deque<spec::docker::ProgressLine> lines_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;
};

}  // namespace skiff::api
