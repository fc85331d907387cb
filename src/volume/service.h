#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "meta/database.h"
#include "spec/docker/volume.h"

namespace skiff::volume {

/// Named volumes (driver "local"). Thread-safe. Errors use Docker's sentences.
class Service {
 public:
  static Result<std::unique_ptr<Service>> open(const std::string& root, meta::Database& database);
  virtual ~Service() = default;

  /// Makes a volume, or returns the one of that name; "" gives it a random id as name and the anonymous label.
  virtual Result<spec::docker::Volume> create(const spec::docker::VolumeCreate& request) = 0;
  virtual Result<spec::docker::Volume> inspect(const std::string& name) = 0;  ///< NotFound: "get x: no such volume"
  virtual Result<std::vector<spec::docker::Volume>> list() = 0;

  /// A container holds a volume from create to remove. Durable.
  virtual Result<void> acquire(const std::string& name, const std::string& container) = 0;
  virtual Result<void> release(const std::string& container) = 0;
  virtual Result<std::vector<std::string>> users(const std::string& name) = 0;

  /// Conflict when in use: "remove x: volume is in use - [container ids]".
  virtual Result<void> remove(const std::string& name, bool force) = 0;
  /// True once, for a fresh volume that is still empty: the caller copies the image's content into it (copy_up()).
  virtual Result<bool> is_empty(const std::string& name) = 0;
};

}  // namespace skiff::volume
