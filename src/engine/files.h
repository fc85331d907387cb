#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/parts.h"
#include "spec/docker/container.h"
#include "sys/fd.h"

namespace skiff::engine {

/// `docker cp`: files in and out of containers, running or not, as tar streams made and read by the archive
/// worker. NotFound: "Could not find the file /x in container y". Thread-safe.
class Files {
 public:
  Files(Parts& parts, ContainerSet& set) : parts_(parts), set_(set) {}

  Result<spec::docker::PathStat> stat(std::string_view name, const std::string& path);
  /// Writes a tar of `path` to `out` (any descriptor).
  Result<void> get(std::string_view name, const std::string& path, const sys::Fd& out);
  struct PutOptions {
    bool no_overwrite_dir_non_dir = false;
    bool copy_owner = false;  ///< the files become the container user's, where it has one
  };
  /// Unpacks the tar `in` (plain, gzip or zstd) into the existing directory `path`.
  Result<void> put(std::string_view name, const std::string& path, const sys::Fd& in, PutOptions options);

 private:
  Parts& parts_;
  ContainerSet& set_;
};

}  // namespace skiff::engine
