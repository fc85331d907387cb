#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "meta/database.h"
#include "spec/docker/volume.h"
#include "spec/mount.h"

namespace skiff::volume {

/// Named volumes (driver "local"). Thread-safe. Errors use Docker's sentences.
class Service {
 public:
  static Result<std::unique_ptr<Service>> open(const std::string& root, meta::Database& database);
  virtual ~Service() = default;

  /// Makes a volume, or returns the one of that name; "" gives it a random id as name and the anonymous
  /// label.
  virtual Result<spec::docker::Volume> create(const spec::docker::VolumeCreate& request) = 0;
  virtual Result<spec::docker::Volume> inspect(
      const std::string& name) = 0;  ///< NotFound: "get x: no such volume"
  virtual Result<std::vector<spec::docker::Volume>> list() = 0;

  /// A container holds a volume from create to remove. Durable. NotFound: "get x: no such volume".
  virtual Result<void> acquire(const std::string& name, const std::string& container) = 0;
  virtual Result<void> release(const std::string& container) = 0;
  virtual Result<std::vector<std::string>> users(const std::string& name) = 0;

  /// How a container's runtime mounts it: a bind of the directory, or what the driver options say (type, o,
  /// device). The destination is left to the caller.
  virtual Result<spec::Mount> mount_of(const std::string& name) = 0;
  /// Bytes on disk (0 for volumes whose data lies elsewhere: tmpfs, nfs, a bound directory).
  virtual Result<std::uint64_t> size(const std::string& name) = 0;

  /// Conflict when in use: "remove x: volume is in use - [container ids]". With `force` a missing one is
  /// fine.
  virtual Result<void> remove(const std::string& name, bool force) = 0;
  struct Pruned {
    std::vector<std::string> names;
    std::uint64_t bytes = 0;
  };
  /// Removes unused volumes: anonymous ones, or with `all` the named ones too, that `wanted` accepts (null:
  /// every one).
  virtual Result<Pruned> prune(bool all,
                               const std::function<bool(const spec::docker::Volume&)>& wanted = nullptr) = 0;
  /// True for a volume that is still empty: the caller copies the image's content into it (copy_up()). Always
  /// false for volumes whose data lies elsewhere.
  virtual Result<bool> is_empty(const std::string& name) = 0;
};

}  // namespace skiff::volume
