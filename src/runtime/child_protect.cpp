#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/child.h"
#include "sys/syscalls.h"

namespace skiff::runtime::child {
namespace {

bool is_absent(int code) { return code == ENOENT || code == ENOTDIR; }

/// The host's /dev/null, verified: a mask by anything else would show, or let write, a file of somebody's
/// choice (CVE-2025-31133).
int open_null(const Context& context) {
  const int fd = ::open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat info = {};
  if (fd < 0 || ::fstat(fd, &info) != 0) fail(context, Step::MaskPath, errno, "/dev/null");
  if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(1, 3))
    fail(context, Step::MaskPath, EINVAL, "/dev/null");
  return fd;
}

int new_empty_directory(const Context& context, const char* path) {
  const int filesystem = sys::raw::fsopen("tmpfs");
  if (filesystem < 0) fail(context, Step::MaskPath, errno, path);
  (void)sys::raw::fsconfig(filesystem, FSCONFIG_SET_STRING, "nr_inodes", "2", 0);
  (void)sys::raw::fsconfig(filesystem, FSCONFIG_SET_STRING, "mode", "755", 0);
  (void)sys::raw::fsconfig(filesystem, FSCONFIG_SET_FLAG, "ro", nullptr, 0);
  if (sys::raw::fsconfig(filesystem, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    fail(context, Step::MaskPath, errno, path);
  const int mount = sys::raw::fsmount(
      filesystem, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (mount < 0) fail(context, Step::MaskPath, errno, path);
  ::close(filesystem);
  return mount;
}

}  // namespace

void mask_paths(const Context& context) {
  int null = -1;
  int empty = -1;
  for (const auto& path : context.plan->masked) {
    const int target = open_inside(context.root, path.c_str(), O_PATH);
    if (target < 0 && is_absent(errno)) continue;
    struct stat info = {};
    if (target < 0 || ::fstat(target, &info) != 0) fail(context, Step::MaskPath, errno, path.c_str());
    int cover = -1;
    if (!S_ISDIR(info.st_mode)) {
      if (null < 0) null = open_null(context);
      cover = sys::raw::open_tree(null, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
    } else if (empty < 0) {
      cover = empty = new_empty_directory(context, path.c_str());
    } else {
      // One empty file system serves all directories: each further mask is a clone of the first.
      cover = sys::raw::open_tree(empty, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
    }
    if (cover < 0 || sys::raw::attach(cover, target) != 0) fail(context, Step::MaskPath, errno, path.c_str());
    if (cover != empty) ::close(cover);
    ::close(target);
  }
  if (null >= 0) ::close(null);
  if (empty >= 0) ::close(empty);
}

void protect_paths(const Context& context) {
  for (const auto& path : context.plan->readonly) {
    const int target = open_inside(context.root, path.c_str(), O_PATH);
    if (target < 0 && is_absent(errno)) continue;
    const int tree =
        target < 0 ? -1 : sys::raw::open_tree(target, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);
    if (tree < 0 ||
        sys::raw::mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY, 0) != 0 ||
        sys::raw::attach(tree, target) != 0)
      fail(context, Step::ReadonlyPath, errno, path.c_str());
    ::close(tree);
    ::close(target);
  }
}

}  // namespace skiff::runtime::child
