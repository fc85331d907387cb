#pragma once

#include "base/clock.h"
#include "base/thread.h"
#include "engine/parts.h"

namespace skiff::engine {

/// Keeps what images take on disk within `image-budget`: the ones that were used longest ago go first. An
/// image stays when it is pinned, has a container (running or not, or just being made), has children, or is
/// just being pulled or built from.
/// Without a budget nothing is done. Thread-safe.
class ImageBudget {
 public:
  ImageBudget(Parts& parts, ContainerSet& set, Events& events) : parts_(parts), set_(set), events_(events) {}

  /// To be called when an image came here, before that is acknowledged. Images used `since`, when this began,
  /// stay. Each one that goes is logged and published ("evict"); failures are logged.
  void keep(Time since) EXCLUDES(mutex_);

 private:
  bool evict(const image::Image& image, Time since, std::uint64_t total);
  void drop_build_cache();

  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
  Mutex mutex_;  ///< held throughout: two at once would remove more than is needed
};

}  // namespace skiff::engine
