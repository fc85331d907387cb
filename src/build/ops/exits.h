#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/thread.h"
#include "runner/runner.h"
#include "sys/fd.h"

namespace skiff::build {

/// The end of one container, awaited with poll(2).
class ExitSlot {
 public:
  static Result<std::shared_ptr<ExitSlot>> create();
  /// Readable once the container has ended.
  const sys::Fd& event() const { return event_; }
  std::optional<runner::Exit> exit();
  void set(runner::Exit exit);

 private:
  sys::Fd event_;
  Mutex mutex_;
  std::optional<runner::Exit> exit_ GUARDED_BY(mutex_);
};

/// Hands the runner's events to the builds they belong to. Thread-safe.
class Exits {
 public:
  Result<std::shared_ptr<ExitSlot>> expect(const std::string& container);
  void forget(const std::string& container);
  /// False when the event is of no build's container.
  bool handle(const runner::Event& event);

 private:
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<ExitSlot>> slots_ GUARDED_BY(mutex_);
};

}  // namespace skiff::build
