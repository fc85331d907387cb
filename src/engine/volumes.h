#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/filters.h"
#include "engine/parts.h"
#include "spec/docker/volume.h"

namespace skiff::engine {

/// Volumes joined with the containers that hold them. Thread-safe.
class Volumes {
 public:
  Volumes(Parts& parts, Events& events) : parts_(parts), events_(events) {}

  Result<spec::docker::VolumeList> list(const Filters& filters);
  Result<spec::docker::Volume> create(const spec::docker::VolumeCreate& request);
  Result<spec::docker::Volume> inspect(const std::string& name);
  Result<void> remove(const std::string& name, bool force);
  /// Anonymous ones that nobody holds; with the filter all=true named ones too.
  Result<spec::docker::VolumePruneReport> prune(const Filters& filters);

 private:
  Parts& parts_;
  Events& events_;
};

}  // namespace skiff::engine
