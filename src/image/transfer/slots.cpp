#include "image/transfer/slots.h"

namespace skiff::image {

std::optional<Slots::Slot> Slots::take(const std::stop_token& stop, const std::function<void()>& waiting) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  bool free = false;
  {
    const MutexLock lock(mutex_);
    free = free_ > 0;
  }
  if (!free && waiting) waiting();
  MutexLock lock(mutex_);
  while (free_ == 0 && !stop.stop_requested()) lock.wait(changed_);
  if (stop.stop_requested()) return std::nullopt;
  --free_;
  return Slot(*this);
}

std::optional<Slots::Slot> Slots::take_free() {
  const MutexLock lock(mutex_);
  if (free_ == 0) return std::nullopt;
  --free_;
  return Slot(*this);
}

void Slots::give() {
  const MutexLock lock(mutex_);
  ++free_;
  changed_.notify_all();
}

}  // namespace skiff::image
