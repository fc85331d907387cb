#pragma once

#include <string>

#include "base/result.h"
#include "spec/docker/container.h"
#include "sys/fd.h"

/// Paths as `docker cp` means them. Everything is resolved as by a process whose root is `root`; a link in
/// the last place is followed only when "/" or "/." comes after it.
namespace skiff::archive {

/// The place of `path`: its last directory, open, and the name in it ("." for the directory itself).
/// NotFound.
struct Located {
  sys::Fd directory;
  std::string name;
  std::string shown;  ///< the name as Docker gives it in stats and archives: "etc", "." or "/"
};
Result<Located> locate(const sys::Fd& root, const std::string& path);

/// What X-Docker-Container-Path-Stat says. The target of a link is the absolute path, inside the root, that
/// it leads to in the end.
Result<spec::docker::PathStat> path_stat(const sys::Fd& root, const std::string& path);

/// Writes a tar of `path` to `out`: a directory's entries stand below its own name.
Result<void> export_path(const sys::Fd& root, const std::string& path, const sys::Fd& out);

/// Writes a tar of what is in the directory `path` to `out`, named from there on.
Result<void> export_entries(const sys::Fd& root, const std::string& path, const sys::Fd& out);

}  // namespace skiff::archive
