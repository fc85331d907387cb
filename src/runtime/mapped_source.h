#pragma once

#include "base/result.h"
#include "runtime/plan.h"
#include "spec/oci_runtime.h"

namespace skiff::runtime {

/// Text for /proc/PID/uid_map or gid_map.
std::string format_mappings(const std::vector<spec::oci::IdMapping>& mappings);

/// Clones the source of a bind mount that is to be id-mapped (config.md "Linux mount options",
/// mount_setattr(2)) and maps it: by the mount's own mappings, or where it has none by those of the
/// container's user namespace. InvalidArgument names the member; Unsupported: the source's file system cannot
/// be mapped.
Result<sys::Fd> open_mapped_source(const MountStep& step, const spec::oci::Mount& mount,
                                   const spec::oci::Linux& config);

}  // namespace skiff::runtime
