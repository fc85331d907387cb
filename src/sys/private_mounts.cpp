#include "sys/private_mounts.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/file.h"
#include "sys/syscalls.h"

namespace skiff::sys {
namespace {

/// The root of the mount that `directory` lies on.
Result<Fd> mount_root(Fd directory) {
  for (;;) {
    struct statx info {};
    if (::statx(directory.get(), "", AT_EMPTY_PATH, 0, &info) != 0) return fail_errno("statx");
    if ((info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0) return directory;
    directory = TRY(open_at(directory, "..", O_PATH | O_DIRECTORY));
  }
}

Result<void> set_private(const Fd& mount) {
  if (raw::mount_setattr(mount.get(), "", AT_EMPTY_PATH, 0, 0, MS_PRIVATE) != 0)
    return fail_errno("make the mount private");
  return {};
}

/// Makes `mount` the peer again that its copy `peer` still is. EINVAL: it had no peers.
Result<void> restore_peers(const Fd& peer, const Fd& mount) {
  if (::syscall(SYS_move_mount, peer.get(), "", mount.get(), "",
                MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | MOVE_MOUNT_SET_GROUP) != 0 &&
      errno != EINVAL)
    return fail_errno("share the mount again");
  return {};
}

}  // namespace

Result<PrivateMounts> PrivateMounts::enter() {
  auto mounts = TRY(open_file("/proc/self/ns/mnt", O_RDONLY));
  auto root = TRY(open_file("/", O_PATH | O_DIRECTORY));
  if (::unshare(CLONE_NEWNS) != 0) return fail_errno("make a mount namespace");
  return PrivateMounts(std::move(mounts), std::move(root));
}

PrivateMounts::~PrivateMounts() {
  if (!mounts_) return;  // moved from
  // setns takes the root to that of the namespace, which need not be ours.
  if (::setns(mounts_.get(), CLONE_NEWNS) == 0 && ::fchdir(root_.get()) == 0 && ::chroot(".") == 0 &&
      ::chdir("/") == 0)
    return;
  log::error("back to the mount namespace: errno {}", errno);
  ::_exit(1);
}

Result<void> PrivateMounts::attach_unseen(const Fd& tree, const std::string& path) {
  const Fd place = TRY(open_file(path, O_PATH | O_DIRECTORY));
  const Fd below = TRY(mount_root(TRY(duplicate(place))));
  const Fd peer(raw::open_tree(below.get(), "", OPEN_TREE_CLONE | AT_EMPTY_PATH));
  if (!peer) return fail_errno("open_tree of the mount below {}", path);
  TRY(set_private(below));
  if (raw::attach(tree.get(), place.get()) != 0) return fail_errno("mount to {}", path);
  return restore_peers(peer, below);
}

}  // namespace skiff::sys
