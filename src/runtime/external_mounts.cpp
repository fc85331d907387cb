#include "runtime/external_mounts.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/checkpoint_image.h"
#include "runtime/mount_options.h"
#include "runtime/plan.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::runtime {
namespace {

/// The name of every mask of a file, and what is behind it.
constexpr const char* kMask = "/dev/null";

/// The link itself is made again ("copy-symlink"): there is no mount.
bool is_copied_link(const MountStep& step) {
  struct stat info = {};
  return step.copy_symlink && ::lstat(step.source.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
}

/// The mounts of a configuration that are clones of something on the host, in their order.
Result<std::vector<MountStep>> binds_of(const spec::oci::Runtime& config, const std::string& bundle,
                                        const sys::Cgroup& cgroup) {
  std::vector<MountStep> binds;
  const auto take = [&](MountStep step) {
    if (step.action == MountStep::Action::Bind && !is_copied_link(step)) binds.push_back(std::move(step));
  };
  for (const auto& mount : config.mounts) {
    auto step = TRY(parse_mount(mount, bundle));
    if (step.type != "cgroup" || step.action != MountStep::Action::Filesystem) {
      take(std::move(step));
      continue;
    }
    for (auto& view :
         expand_cgroup_mount(step, cgroup.layout(), cgroup.path(), has_own_namespace(config, "cgroup")))
      take(std::move(view));
  }
  return binds;
}

std::string target_of(const sys::Fd& fd) {
  char target[PATH_MAX];
  const ssize_t size = ::readlink(sys::fd_path(fd).c_str(), target, sizeof target);
  return size < 0 ? std::string() : std::string(target, static_cast<std::size_t>(size));
}

/// `path` with its links resolved inside `root`, as the kernel's table of mounts has it; as it is when it
/// leads nowhere.
std::string resolved(const sys::Fd& root, const std::string& path) {
  const auto fd = sys::open_in_root(root, path, O_PATH);
  if (!fd) return path;
  const auto top = target_of(root);
  const auto found = target_of(*fd);
  if (top == "/") return found;
  return found.starts_with(top + "/") ? found.substr(top.size()) : path;
}

bool is_directory(const sys::Fd& fd) {
  struct stat info = {};
  return ::fstat(fd.get(), &info) == 0 && S_ISDIR(info.st_mode);
}

/// Makes `path` inside `root`, when it is not there: a directory, or an empty file in its directory.
Result<void> make_mount_point(const sys::Fd& root, const std::string& path, bool directory) {
  if (sys::open_in_root(root, path, O_PATH)) return {};
  if (directory) {
    TRY(sys::make_directories_in_root(root, path));
    return {};
  }
  TRY(sys::make_directories_in_root(root, sys::dir_name(path)));
  TRY(sys::open_in_root(root, path, O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
  return {};
}

/// Where root may not make device nodes, in a user namespace, the host's are bound.
std::vector<std::string> bound_devices(const spec::oci::Runtime& config) {
  return has_own_namespace(config, "user") ? device_paths(*config.linux_) : std::vector<std::string>();
}

bool lies_below(const std::string& path, const std::string& above) {
  return path.size() > above.size() && path.starts_with(above) && (above == "/" || path[above.size()] == '/');
}

}  // namespace

Result<std::vector<std::string>> external_mounts_to_dump(const spec::oci::Runtime& config,
                                                         const sys::Cgroup& cgroup, const sys::Fd& root) {
  std::vector<std::string> external;
  for (const auto& bind : TRY(binds_of(config, "/", cgroup))) {
    const auto place = resolved(root, bind.destination);
    external.push_back(fmt::format("mnt[{}]:{}", place, place));
  }
  for (const auto& device : bound_devices(config))
    external.push_back(fmt::format("mnt[{}]:{}", device, device));
  if (!config.linux_) return external;
  for (const auto& path : config.linux_->masked_paths) {
    const auto clean = sys::clean_path("/" + path);
    // A masked directory has a tmpfs over it, which criu knows.
    const auto mask = sys::open_in_root(root, clean, O_PATH);
    if (mask && !is_directory(*mask))
      external.push_back(fmt::format("mnt[{}]:{}", resolved(root, clean), kMask));
  }
  return external;
}

Result<std::vector<std::string>> external_mounts_to_restore(const spec::oci::Runtime& config,
                                                            const std::string& bundle,
                                                            const sys::Cgroup& cgroup, const sys::Fd& root) {
  std::vector<std::string> external;
  for (const auto& bind : TRY(binds_of(config, bundle, cgroup)))
    external.push_back(fmt::format("mnt[{}]:{}", resolved(root, bind.destination), bind.source));
  for (const auto& device : bound_devices(config))
    external.push_back(fmt::format("mnt[{}]:{}", device, device));
  if (config.linux_ && !config.linux_->masked_paths.empty())
    external.push_back(fmt::format("mnt[{}]:{}", kMask, kMask));
  return external;
}

Result<void> make_mount_points(const spec::oci::Runtime& config, const std::string& bundle,
                               const sys::Fd& root) {
  std::vector<MountStep> earlier;
  for (const auto& mount : config.mounts) {
    auto step = TRY(parse_mount(mount, bundle));
    const auto above = std::find_if(earlier.rbegin(), earlier.rend(), [&](const auto& other) {
      return lies_below(step.destination, other.destination);
    });
    bool directory = true;
    if (step.action == MountStep::Action::Bind)
      directory =
          is_directory(TRY_CONTEXT(sys::open_file(step.source, O_PATH), "mount {}", step.destination));
    if (above == earlier.rend()) {
      TRY_CONTEXT(make_mount_point(root, step.destination, directory), "create mount point {}",
                  step.destination);
    } else if (above->action == MountStep::Action::Bind) {
      const auto source = TRY(sys::open_file(above->source, O_PATH));
      const auto rest = step.destination.substr(above->destination.size());
      TRY_CONTEXT(make_mount_point(source, rest, directory), "create mount point {}", step.destination);
    }
    earlier.push_back(std::move(step));
  }
  return {};
}

}  // namespace skiff::runtime
