#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "base/result.h"
#include "image/bootstrap/apt_sources.h"

namespace skiff::image {

/// Files that a freshly made root file system gets, and files it loses: the settings of container images for
/// apt and dpkg, the sources, and everything that tells of the machine or the moment it was made.
Result<void> finish_rootfs(const std::string& root, const std::vector<AptSource>& sources, bool slim);

/// Sets every modification time below `root` that is later than `latest` back to it.
Result<void> clamp_times(const std::string& root, std::time_t latest);

/// dpkg options that keep documentation and translations out ("path-exclude=..."), as in Debian's slim
/// images.
const std::vector<std::string>& slim_options();

}  // namespace skiff::image
