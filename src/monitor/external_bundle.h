#pragma once

#include <string>

#include "base/result.h"
#include "runtime/container.h"
#include "spec/mount.h"
#include "sys/private_mounts.h"

/// The bundle that an external runtime makes a container from (OCI bundle.md).
namespace skiff::monitor {

/// The config.json for `options`: the library's, with its seccomp profile in place, the cgroup named from the
/// hierarchies' roots (or for systemd), `rootfs` as the root, and, when an init is wanted, the program `init`
/// as pid 1, which runs the real one as its child.
Result<std::string> external_config(const runtime::CreateOptions& options, const std::string& rootfs,
                                    const std::string& init);

/// Mounts a container's root file system to the directory `rootfs`, for those in `mounts` alone.
Result<void> mount_rootfs(sys::PrivateMounts& mounts, const spec::Mount& root, const std::string& rootfs);

}  // namespace skiff::monitor
