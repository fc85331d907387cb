#pragma once

#include <map>
#include <string>

#include "base/thread.h"
#include "spec/engine_config.h"

namespace skiff::engine {

/// What runtimes say they can do (runtime-spec, features.md), as info shows it. Thread-safe.
class RuntimeFeatures {
 public:
  explicit RuntimeFeatures(const spec::EngineConfig& config) : config_(config) {}

  /// The features as JSON; "" for a program that says nothing of the kind. A registered program is asked once
  /// in the engine's life, at the first question, and has ten seconds for its answer.
  std::string of(const std::string& name) EXCLUDES(mutex_);

 private:
  std::string ask(const std::string& name) const;

  const spec::EngineConfig& config_;
  Mutex mutex_;
  std::map<std::string, std::string> known_ GUARDED_BY(mutex_);
};

}  // namespace skiff::engine
