#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/plan.h"
#include "spec/mount.h"
#include "sys/cgroup.h"

namespace skiff::runtime {

/// Sorts the options of one mount (config.md "Linux mount options") into attributes of the mount, propagation
/// and options of the file system, and decides what sort of mount it is. `base` is what relative bind sources
/// start from.
Result<MountStep> parse_mount(const spec::Mount& mount, const std::string& base);

/// A mount of type "cgroup": on version 2 one file system, otherwise a tmpfs with every hierarchy in it.
std::vector<MountStep> expand_cgroup_mount(const MountStep& mount, const sys::CgroupLayout& layout,
                                           const std::string& cgroup_path, bool own_namespace);

}  // namespace skiff::runtime
