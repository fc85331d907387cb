#pragma once

#include "base/thread.h"

namespace skiff::registry::server {

/// Many may pass a gate together, or one alone. Who wants to be alone is not kept waiting by those who come
/// later, however many they are.
class Gate {
 public:
  class Shared {
   public:
    explicit Shared(Gate& gate) : gate_(gate) {
      MutexLock lock(gate_.mutex_);
      while (gate_.alone_ > 0) lock.wait(gate_.changed_);
      ++gate_.inside_;
    }
    ~Shared() {
      const MutexLock lock(gate_.mutex_);
      if (--gate_.inside_ == 0) gate_.changed_.notify_all();
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;

   private:
    Gate& gate_;
  };

  class Alone {
   public:
    explicit Alone(Gate& gate) : gate_(gate) {
      MutexLock lock(gate_.mutex_);
      ++gate_.alone_;
      while (gate_.inside_ > 0 || gate_.busy_) lock.wait(gate_.changed_);
      gate_.busy_ = true;
    }
    ~Alone() {
      const MutexLock lock(gate_.mutex_);
      --gate_.alone_;
      gate_.busy_ = false;
      gate_.changed_.notify_all();
    }
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;

   private:
    Gate& gate_;
  };

 private:
  Mutex mutex_;
  std::condition_variable changed_;
  int inside_ GUARDED_BY(mutex_) = 0;
  int alone_ GUARDED_BY(mutex_) = 0;  ///< alone inside, or waiting for it
  bool busy_ GUARDED_BY(mutex_) = false;
};

}  // namespace skiff::registry::server
