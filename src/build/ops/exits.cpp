#include "build/ops/exits.h"

#include <sys/eventfd.h>

namespace skiff::build {

Result<std::shared_ptr<ExitSlot>> ExitSlot::create() {
  auto slot = std::make_shared<ExitSlot>();
  slot->event_ = sys::Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!slot->event_) return fail_errno("eventfd");
  return slot;
}

std::optional<runner::Exit> ExitSlot::exit() {
  const MutexLock lock(mutex_);
  return exit_;
}

void ExitSlot::set(runner::Exit exit) {
  const MutexLock lock(mutex_);
  exit_ = std::move(exit);
  eventfd_write(event_.get(), 1);
}

Result<std::shared_ptr<ExitSlot>> Exits::expect(const std::string& container) {
  auto slot = TRY(ExitSlot::create());
  const MutexLock lock(mutex_);
  slots_[container] = slot;
  return slot;
}

void Exits::forget(const std::string& container) {
  const MutexLock lock(mutex_);
  slots_.erase(container);
}

bool Exits::handle(const runner::Event& event) {
  const MutexLock lock(mutex_);
  const auto slot = slots_.find(event.container);
  if (slot == slots_.end()) return false;
  if (event.type == runner::Event::Type::Exited) slot->second->set(event.exit);
  return true;
}

}  // namespace skiff::build
