#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/oci_runtime.h"

/// What a container gets when nobody says otherwise: the same as Docker gives.
namespace skiff::spec {

/// The fourteen capabilities a container keeps, and all that exist ("CAP_CHOWN" ...), in kernel order.
const std::vector<std::string>& default_capabilities();
const std::vector<std::string>& all_capabilities();
/// The default list after Docker's --cap-add, --cap-drop and --privileged; names with or without "CAP_", any
/// case, "ALL". InvalidArgument: `invalid CapAdd: unknown capability: "CAP_X"`.
Result<std::vector<std::string>> effective_capabilities(const std::vector<std::string>& add,
                                                        const std::vector<std::string>& drop,
                                                        bool privileged);

const std::vector<std::string>& default_masked_paths();
const std::vector<std::string>& default_readonly_paths();

/// /proc, /dev, /dev/pts, /sys, /sys/fs/cgroup, /dev/mqueue, /dev/shm (`shm_bytes` large), in this order.
std::vector<oci::Mount> default_mounts(std::int64_t shm_bytes = 64 << 20);
/// null, zero, full, random, urandom, tty; the runtime itself adds /dev/console, ptmx and the std links.
std::vector<oci::Device> default_devices();
/// The allow-list of the devices controller: deny all, then mknod of all, and the default devices.
std::vector<oci::DeviceRule> default_device_rules();

/// Environment that every container starts from.
inline constexpr std::string_view kDefaultPath =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Docker's default seccomp profile made concrete: for the capabilities the container has, an architecture
/// (GOARCH) and a kernel version (major, minor). The table is src/spec/data/seccomp.table.
oci::Seccomp default_seccomp(const std::vector<std::string>& capabilities, std::string_view architecture,
                             int kernel_major, int kernel_minor);
/// As above for a profile text in Docker's format (`--security-opt seccomp=FILE`), which may hold archMap and
/// the includes/excludes conditions.
Result<oci::Seccomp> seccomp_from_profile(std::string_view profile,
                                          const std::vector<std::string>& capabilities,
                                          std::string_view architecture, int kernel_major, int kernel_minor);

}  // namespace skiff::spec
