#include "archive/side_thread.h"

#include <cstdlib>
#include <utility>

namespace skiff::archive {

SideThread::SideThread() : thread_([this] { run(); }) { wait(); }

SideThread::~SideThread() {
  {
    const MutexLock lock(mutex_);
    ended_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void SideThread::start(std::function<void()> work) {
  MutexLock lock(mutex_);
  while (busy_) lock.wait(changed_);
  work_ = std::move(work);
  busy_ = true;
  changed_.notify_all();
}

void SideThread::wait() {
  MutexLock lock(mutex_);
  while (busy_) lock.wait(changed_);
}

void SideThread::run() {
  // A thread's first allocation makes the C library look for the number of processors, in files: now, and not
  // in a tree that is not to be trusted.
  void* volatile memory = std::malloc(1);
  std::free(memory);
  for (;;) {
    std::function<void()> work;
    {
      MutexLock lock(mutex_);
      busy_ = false;
      changed_.notify_all();
      while (!busy_ && !ended_) lock.wait(changed_);
      if (!busy_) return;
      work = std::exchange(work_, {});
    }
    work();
  }
}

}  // namespace skiff::archive
