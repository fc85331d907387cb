#pragma once

#include <condition_variable>
#include <functional>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/thread.h"

namespace skiff::image {

/// So many at once. Thread-safe; outlives its slots.
class Slots {
 public:
  explicit Slots(int count) : free_(count) {}

  /// Held for a scope.
  class Slot {
   public:
    explicit Slot(Slots& slots) : slots_(&slots) {}
    Slot(Slot&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)) {}
    Slot& operator=(Slot&&) = delete;
    ~Slot() {
      if (slots_) slots_->give();
    }

   private:
    Slots* slots_;
  };

  /// Waits until there is one; `waiting` is called when that may take a while. Nothing when `stop` said so.
  std::optional<Slot> take(const std::stop_token& stop, const std::function<void()>& waiting = {})
      EXCLUDES(mutex_);
  /// One that is free now, if any.
  std::optional<Slot> take_free() EXCLUDES(mutex_);

 private:
  void give() EXCLUDES(mutex_);

  Mutex mutex_;
  std::condition_variable changed_;
  int free_ GUARDED_BY(mutex_);
};

}  // namespace skiff::image
