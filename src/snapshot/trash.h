#pragma once

#include <condition_variable>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/thread.h"

namespace skiff::snapshot {

/// A folder whose entries are deleted by a thread of its own. What is in it when the program ends is deleted
/// after the next start.
class Trash {
 public:
  /// `directory` is made when missing.
  static Result<std::unique_ptr<Trash>> open(std::string directory);
  /// Waits for the entry that is being deleted, not for the rest.
  ~Trash();
  Trash(const Trash&) = delete;
  Trash& operator=(const Trash&) = delete;

  /// Moves `path` (same file system) here and returns at once.
  Result<void> take(const std::string& path);
  /// As take(), for who can do nothing about a failure: that is logged, and it is tried again when the next
  /// thing comes.
  void take_sometime(const std::string& path) EXCLUDES(mutex_);
  /// Waits until everything is deleted.
  void drain() EXCLUDES(mutex_);

 private:
  explicit Trash(std::string directory) : directory_(std::move(directory)) {}
  void work() EXCLUDES(mutex_);

  const std::string directory_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool pending_ GUARDED_BY(mutex_) = true;
  bool busy_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::set<std::string> missed_ GUARDED_BY(mutex_);  ///< what could not be moved here yet
  std::thread thread_;
};

}  // namespace skiff::snapshot
