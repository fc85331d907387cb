#pragma once

#include <condition_variable>
#include <mutex>

// Clang's thread safety analysis (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html); nothing to GCC.
#if defined(__clang__)
#define SKIFF_TSA(x) __attribute__((x))
#else
#define SKIFF_TSA(x)
#endif
#define CAPABILITY(name) SKIFF_TSA(capability(name))
#define SCOPED_CAPABILITY SKIFF_TSA(scoped_lockable)
#define GUARDED_BY(mutex) SKIFF_TSA(guarded_by(mutex))
#define REQUIRES(...) SKIFF_TSA(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) SKIFF_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) SKIFF_TSA(release_capability(__VA_ARGS__))
#define EXCLUDES(...) SKIFF_TSA(locks_excluded(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS SKIFF_TSA(no_thread_safety_analysis)

namespace skiff {

/// std::mutex with annotations: what it guards is written GUARDED_BY(mutex_) at each field.
class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

/// Holds a Mutex for a scope, and can wait on a condition meanwhile.
class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : lock_(mutex.mutex_) {}
  ~MutexLock() RELEASE() = default;
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  /// Gives the mutex up until `condition` is notified; callers re-check what they wait for in a loop.
  void wait(std::condition_variable& condition) { condition.wait(lock_); }

  /// As wait(), but at most until `deadline`; false when the deadline passed.
  template <typename Clock, typename Duration>
  bool wait_until(std::condition_variable& condition, std::chrono::time_point<Clock, Duration> deadline) {
    return condition.wait_until(lock_, deadline) == std::cv_status::no_timeout;
  }

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace skiff
