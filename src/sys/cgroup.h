#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

/// Control groups as directories (cgroups(7)): version 1, version 2 and the hybrid of both look alike from
/// here. What the files mean is runtime/cgroup.h's business.
namespace skiff::sys {

/// One mounted hierarchy.
struct CgroupHierarchy {
  std::vector<std::string> controllers;  ///< "cpu", "cpuacct" ...; of version 2 those it offers
  std::string name;                      ///< of a version 1 hierarchy without controllers: "systemd"
  std::string root;                      ///< where it is mounted
  std::string own;                       ///< the caller's cgroup in it, "/" at the top
  bool unified = false;                  ///< version 2
};

/// The hierarchies of this machine.
class CgroupLayout {
 public:
  /// Finds them from /proc/self/cgroup and the customary mount points below `mount`; only when a hierarchy is
  /// elsewhere is the (slow) mount table read. Hierarchies that are not mounted are left out.
  static Result<CgroupLayout> detect(const std::string& mount = "/sys/fs/cgroup");
  /// A layout made of given directories, for tests.
  explicit CgroupLayout(std::vector<CgroupHierarchy> hierarchies) : hierarchies_(std::move(hierarchies)) {}

  const std::vector<CgroupHierarchy>& hierarchies() const { return hierarchies_; }
  /// The hierarchy that has `controller`, or null.
  const CgroupHierarchy* find(std::string_view controller) const;
  /// The version 2 hierarchy, or null.
  const CgroupHierarchy* unified() const;
  /// Whether version 2 is all there is.
  bool pure_unified() const;

 private:
  std::vector<CgroupHierarchy> hierarchies_;
};

/// One path in every hierarchy. A plain value: dropping it leaves the directories.
class Cgroup {
 public:
  Cgroup(CgroupLayout layout, std::string_view path);

  /// Makes the directories (and missing parents) and enables version 2 controllers on the way. On failure
  /// those that were made are removed again. Hierarchies that refuse (read-only) are left out when
  /// `tolerant`. False when one of the directories was there already.
  Result<bool> create(bool tolerant = false);

  const std::string& path() const { return path_; }
  const CgroupLayout& layout() const { return layout_; }
  bool has(std::string_view controller) const { return layout_.find(controller) != nullptr; }
  bool exists() const;
  /// Directory of the hierarchy with `controller`; empty when there is none.
  std::string directory(std::string_view controller) const;
  std::string directory(const CgroupHierarchy& hierarchy) const;

  /// Writes `value` to a file of the controller's directory. NotFound: controller or file is missing.
  Result<void> write(std::string_view controller, std::string_view file, std::string_view value) const;
  Result<std::string> read(std::string_view controller, std::string_view file) const;

  /// Descriptors of version 1 `tasks` files: a single-threaded process that writes "0" to one moves itself
  /// there. Unlike cgroup.procs this does not stop every fork of the machine meanwhile.
  Result<std::vector<Fd>> open_tasks() const;
  /// Directory of the version 2 cgroup for CLONE_INTO_CGROUP; invalid when there is no such hierarchy.
  Result<Fd> open_unified() const;

  /// Moves a process into every version 1 hierarchy's, and version 2's where that is ours alone.
  Result<void> add(pid_t pid) const;
  /// Directory of the hierarchy that stops and lets run; empty when there is none.
  std::string freezer_directory() const;

  /// Pids of this cgroup and those below it, sorted.
  Result<std::vector<pid_t>> processes() const;
  /// Sends `signal` to every process in it and below it, also to those forked meanwhile. Frozen ones are
  /// thawed to die.
  Result<void> signal_all(int signal) const;
  /// Stops or lets run everything in it; returns when the kernel says so. Unsupported without a freezer.
  Result<void> freeze(bool frozen) const;
  Result<bool> frozen() const;
  /// Removes the directories and everything below them. A cgroup whose last process is just going away is
  /// retried for a moment.
  Result<void> remove() const;
  /// Removes the directories that hold neither processes nor cgroups; the others stay.
  Result<void> remove_if_empty() const;

 private:
  Result<bool> create_in(const CgroupHierarchy& hierarchy) const;
  const CgroupHierarchy* freezer() const;

  CgroupLayout layout_;
  std::string path_;  ///< "skiff/4f5d"; no slash at either end
};

}  // namespace skiff::sys
