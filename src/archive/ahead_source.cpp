#include "archive/ahead_source.h"

#include <utility>

namespace skiff::archive {

AheadSource::AheadSource(Source& inner, SideThread& thread) : inner_(inner), thread_(thread) {
  thread_.start([this] { fill(); });
}

AheadSource::~AheadSource() {
  {
    const MutexLock lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  thread_.wait();
}

void AheadSource::fill() {
  for (std::size_t at = 0;; ++at) {
    {
      MutexLock lock(mutex_);
      while (at - taken_ == kSlots && !stopped_) lock.wait(changed_);
      if (stopped_) return;
    }
    auto bytes = inner_.next();
    const bool more = bytes.ok() && !bytes->empty();
    if (more) slots_[at % kSlots].assign(*bytes);
    const MutexLock lock(mutex_);
    if (more) {
      ++filled_;
    } else {
      ended_ = true;
      if (!bytes.ok()) outcome_ = bytes.error();
    }
    changed_.notify_all();
    if (!more) return;
  }
}

Result<std::string_view> AheadSource::next() {
  MutexLock lock(mutex_);
  if (std::exchange(holding_, false)) {
    ++taken_;
    changed_.notify_all();
  }
  while (taken_ == filled_ && !ended_) lock.wait(changed_);
  if (taken_ < filled_) {
    holding_ = true;
    return std::string_view(slots_[taken_ % kSlots]);
  }
  TRY(Result<void>(outcome_));
  return std::string_view();
}

Result<void> AheadSource::finish() {
  while (!TRY(next()).empty()) {
  }
  thread_.wait();
  return {};
}

}  // namespace skiff::archive
