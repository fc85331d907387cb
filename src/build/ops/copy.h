#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "build/graph.h"
#include "build/ops/download.h"
#include "build/ops/files.h"
#include "build/solver/op.h"
#include "spec/layer_limits.h"
#include "sys/fd.h"

namespace skiff::build {

/// Carries out a COPY or ADD: takes `sources` out of `tree` and puts them, and the operation's inline files
/// and downloads, into the root file system `root` as the Dockerfile reference says. Everything is resolved
/// inside the two roots, whatever links they hold.
class Copier {
 public:
  Copier(const FileTree& tree, const sys::Fd& root, const CopyOperation& operation,
         const spec::LayerLimits& limits, const Cancellation& cancellation)
      : tree_(tree), root_(root), operation_(operation), limits_(limits), cancellation_(cancellation) {}

  Result<void> run(const std::vector<FoundSource>& sources, const std::vector<Download>& downloads);

 private:
  /// Where an entry stands on both sides: below the tree's root, and below the copied directory at the
  /// destination.
  struct Place {
    std::string source;
    std::string copied;
  };
  struct Target {
    sys::Fd directory;
    std::string name;
  };
  std::pair<uid_t, gid_t> owner_of(const struct stat& status) const;
  Result<sys::Fd> make_directories(const std::string& path);
  /// Where a file named `name` goes: into the destination, or to be the destination.
  Result<Target> target_of(const std::string& name, bool into_directory);
  bool destination_is_directory() const;

  Result<void> copy_source(const FoundSource& source);
  Result<bool> unpack(const FoundSource& source);
  Result<void> copy_directory(const sys::Fd& from, const sys::Fd& to, const Place& place);
  Result<void> copy_entry(const sys::Fd& from, const sys::Fd& to, const std::string& name,
                          const Place& place);
  Result<void> copy_subdirectory(const sys::Fd& from, const sys::Fd& to, const std::string& name,
                                 const Place& place, const struct stat& status);
  Result<void> copy_regular(const sys::Fd& from, const sys::Fd& to, const std::string& name,
                            const Place& place, const struct stat& status);
  Result<void> copy_file(const sys::Fd& file, const struct stat& status, const sys::Fd& to,
                         const std::string& name);
  Result<bool> has_included(const sys::Fd& directory, const std::string& path) const;
  Result<void> copy_special(const sys::Fd& from, const sys::Fd& to, const std::string& name,
                            const struct stat& status);
  Result<void> write_inline(const InlineFile& file);
  Result<void> copy_download(const Download& download);

  const FileTree& tree_;
  const sys::Fd& root_;
  const CopyOperation& operation_;
  const spec::LayerLimits& limits_;  ///< of archives that are unpacked
  const Cancellation& cancellation_;
  std::optional<std::pair<uid_t, gid_t>> owner_;
  const sys::Fd* base_ = nullptr;  ///< the destination of the directory being copied
  std::map<std::pair<dev_t, ino_t>, std::string>
      links_;  ///< files with several names -> first name below base_
};

}  // namespace skiff::build
