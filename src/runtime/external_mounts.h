#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "spec/oci_runtime.h"
#include "sys/cgroup.h"
#include "sys/fd.h"

/// What of a container's mounts comes from outside: criu(8) cannot save it, and is told its name when it
/// dumps and its source when it restores. The names are runc's, so that either reads the other's images.
namespace skiff::runtime {

/// "mnt[DESTINATION]:NAME" for a container whose root is `root`: bind mounts, views of the cgroup, masks of
/// files.
Result<std::vector<std::string>> external_mounts_to_dump(const spec::oci::Runtime& config,
                                                         const sys::Cgroup& cgroup, const sys::Fd& root);

/// "mnt[NAME]:SOURCE" on this machine, for the root file system `root`. Relative sources start from `bundle`.
Result<std::vector<std::string>> external_mounts_to_restore(const spec::oci::Runtime& config,
                                                            const std::string& bundle,
                                                            const sys::Cgroup& cgroup, const sys::Fd& root);

/// Makes the directories and files that mounts are put on and that `root` lacks, as the start of the
/// container does; those below a bind mount in its source. What lies on a tmpfs is in the image.
Result<void> make_mount_points(const spec::oci::Runtime& config, const std::string& bundle,
                               const sys::Fd& root);

}  // namespace skiff::runtime
