#include "api/transfer.h"

#include <algorithm>
#include <thread>

namespace skiff::api {

void TransferLines::line(spec::docker::ProgressLine line) {
  const MutexLock lock(mutex_);
  const bool step = line.progress_detail && line.progress_detail->total > 0;
  if (step) {
    // A step that nobody has read yet gives way to this one.
    const auto older = std::find_if(lines_.rbegin(), lines_.rend(),
                                    [&](const auto& waiting) { return waiting.id == line.id; });
    if (older != lines_.rend() && older->progress_detail && older->progress_detail->total > 0 &&
        older->status == line.status) {
      *older = std::move(line);
      return;
    }
  }
  lines_.push_back(std::move(line));
  changed_.notify_one();
}

bool TransferLines::next(spec::docker::ProgressLine& line) {
  MutexLock lock(mutex_);
  while (lines_.empty() && !ended_) lock.wait(changed_);
  if (lines_.empty()) return false;
  line = std::move(lines_.front());
  lines_.pop_front();
  return true;
}

void TransferLines::send(const spec::docker::ProgressLine& line) {
  // A client that is gone is noticed by the stop token of the work.
  if (!call_.http.answered() && !call_.http.start(200).ok()) return;
  (void)call_.http.write(json::encode(line) + "\r\n");
}

Result<void> TransferLines::run(const std::function<Result<void>(image::Progress&)>& work) {
  Result<void> done;
  std::thread worker([&] {
    done = work(*this);
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_one();
  });
  for (spec::docker::ProgressLine line; next(line);) send(line);
  worker.join();
  if (done.ok()) return {};
  if (!call_.http.answered()) return done;
  spec::docker::ProgressLine last;
  last.error_detail = spec::docker::ErrorDetail{0, done.error().message()};
  last.error = done.error().message();
  send(last);
  return {};
}

}  // namespace skiff::api
