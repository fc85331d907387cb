#pragma once

#include <sys/stat.h>

#include <stop_token>
#include <string>
#include <string_view>

#include "lazy/layer_files.h"

namespace skiff::lazy {

/// Answers what the kernel asks of a read-only file system (fuse(4), linux/fuse.h, protocol 7.31): the files
/// of one layer. A node's number is one more than that in the layer's index, for as long as the mount stands,
/// so that nothing has to be counted or forgotten; and nothing ever changes, so that the kernel may keep
/// whatever it was told. Thread-safe.
class FuseHandler {
 public:
  /// `files` outlives it. `root` has the owner, mode and times of the root directory.
  FuseHandler(LayerFiles& files, const struct stat& root);

  /// The answer to one request as it was read from /dev/fuse; "" for one that wants none. What cannot be
  /// understood is answered with an error.
  std::string handle(std::string_view request, const std::stop_token& stop);

 private:
  LayerFiles& files_;
  const struct stat root_;
  bool has_xattrs_ = false;
  bool has_acls_ = false;
  std::atomic<bool> no_open_ = false;     ///< the kernel opens files without asking
  std::atomic<bool> no_opendir_ = false;  ///< and directories
  friend class FuseRequest;
};

}  // namespace skiff::lazy
