#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/mount.h"
#include "sys/fd.h"

namespace skiff::snapshot {

/// A look into a root file system that is not mounted: the layers of its overlay Mount, read from the top
/// with whiteouts and opaque directories honoured (Documentation/filesystems/overlayfs.rst). Used for the few
/// small files that are needed before a start (/etc/passwd, /etc/group); links are followed inside the root
/// only.
class RootView {
 public:
  static Result<RootView> open(const std::vector<spec::Mount>& rootfs);

  /// The file's content, at most `limit` bytes; nothing when there is no such regular file.
  Result<std::optional<std::string>> read(std::string_view path, std::size_t limit) const;
  bool is_directory(std::string_view path) const;
  bool exists(std::string_view path) const;

 private:
  struct Found;
  std::optional<Found> resolve(std::string_view path) const;

  std::vector<sys::Fd> layers_;  ///< topmost first
};

}  // namespace skiff::snapshot
