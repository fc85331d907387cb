#include "build/solver/log.h"

namespace skiff::build {

void OutputLog::write(Stream stream, std::string_view text) {
  if (text.empty()) return;
  const MutexLock lock(mutex_);
  chunks_.push_back({stream, std::string(text)});
  changed_.notify_all();
}

void OutputLog::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

OutputLog::Read OutputLog::read(std::size_t index, std::chrono::steady_clock::time_point deadline) {
  MutexLock lock(mutex_);
  while (index >= chunks_.size() && !closed_)
    if (!lock.wait_until(changed_, deadline)) break;
  if (index < chunks_.size()) return {chunks_[index], false};
  return {std::nullopt, closed_};
}

}  // namespace skiff::build
