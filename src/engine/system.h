#pragma once

#include <set>
#include <string>

#include "base/result.h"
#include "engine/containers.h"
#include "engine/images.h"
#include "engine/parts.h"
#include "engine/runtime_features.h"
#include "engine/volumes.h"
#include "spec/docker/system.h"

namespace skiff::engine {

/// What the engine says of itself. Thread-safe.
class System {
 public:
  System(Parts& parts, ContainerSet& set, Events& events, Containers& containers, Images& images,
         Volumes& volumes)
      : parts_(parts),
        set_(set),
        events_(events),
        containers_(containers),
        images_(images),
        volumes_(volumes),
        runtime_features_(parts.config) {}

  Result<spec::docker::Version> version();
  Result<spec::docker::Info> info();
  /// `types` limits the answer to "container", "image", "volume", "build-cache"; empty: all.
  Result<spec::docker::DiskUsage> disk_usage(const std::set<std::string>& types);
  Result<spec::docker::BuildPruneReport> prune_build_cache(bool all, const Filters& filters);

 private:
  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
  Containers& containers_;
  Images& images_;
  Volumes& volumes_;
  RuntimeFeatures runtime_features_;
};

}  // namespace skiff::engine
