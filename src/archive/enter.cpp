#include "archive/enter.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "sys/detached_mount.h"
#include "sys/fd.h"
#include "sys/path.h"
#include "sys/syscalls.h"

namespace skiff::archive {

namespace {

namespace raw = sys::raw;

bool has_option(const spec::Mount& mount, std::string_view option) {
  return std::find(mount.options.begin(), mount.options.end(), option) != mount.options.end();
}

/// A mount that is attached nowhere yet.
Result<sys::Fd> make_bind(const spec::Mount& mount) {
  const bool recursive = has_option(mount, "rbind");
  sys::Fd tree(
      raw::open_tree(AT_FDCWD, mount.source.c_str(), OPEN_TREE_CLONE | (recursive ? AT_RECURSIVE : 0u)));
  if (!tree) return fail_errno("bind {}", mount.source);
  if (has_option(mount, "ro") &&
      raw::mount_setattr(tree.get(), "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0u), MOUNT_ATTR_RDONLY,
                         0) != 0)
    return fail_errno("bind {} read-only", mount.source);
  return tree;
}

Result<sys::Fd> make_mount(const spec::Mount& mount) {
  if (mount.type == "overlay") return sys::mount_detached(mount.type, mount.source, mount.options);
  if (mount.type == "bind" || has_option(mount, "bind") || has_option(mount, "rbind"))
    return make_bind(mount);
  return fail(Kind::Unsupported, "the archive worker does not mount {}", mount.type);
}

Result<void> change_root(const sys::Fd& directory) {
  if (::fchdir(directory.get()) != 0 || ::chroot(".") != 0) return fail_errno("chroot");
  return {};
}

/// The place of a mount. Where the container has not been started yet it is made, as a start would make it.
Result<sys::Fd> mount_point(const sys::Fd& root, const std::string& destination, const sys::Fd& tree) {
  sys::Fd target(raw::openat2(root.get(), destination.c_str(), O_PATH, 0, RESOLVE_IN_ROOT));
  if (!target && errno != ENOENT) return fail_errno("open {}", destination);
  if (target) return target;
  struct stat status {};
  if (::fstat(tree.get(), &status) != 0) return fail_errno("stat what belongs on {}", destination);
  if (S_ISDIR(status.st_mode)) return sys::make_directories_in_root(root, destination);
  TRY(sys::make_directories_in_root(root, sys::dir_name(destination)));
  return sys::open_in_root(root, destination, O_RDONLY | O_CREAT | O_NOFOLLOW, 0644);
}

Result<void> enter_mounts(const Job& job) {
  std::vector<sys::Fd> trees;
  for (const auto& mount : job.mounts) trees.push_back(TRY(make_mount(mount.mount)));
  // A lone tree is used without attaching it anywhere.
  if (trees.size() == 1) return change_root(trees.front());
  if (::unshare(CLONE_NEWNS) != 0) return fail_errno("unshare");
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail_errno("private mounts");
  // /proc is a directory that every host has and that this process needs no more.
  const sys::Fd place(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (raw::attach(trees.front().get(), place.get()) != 0) return fail_errno("attach the root");
  for (std::size_t i = 1; i < trees.size(); ++i) {
    const std::string& destination = job.mounts[i].mount.destination;
    const sys::Fd target = TRY(mount_point(trees.front(), destination, trees[i]));
    if (raw::attach(trees[i].get(), target.get()) != 0) return fail_errno("mount on {}", destination);
  }
  return change_root(trees.front());
}

}  // namespace

Result<void> enter_root(const Job& job) {
  sys::Fd root;
  if (job.mounts.empty()) root = sys::Fd(kRootFd);
  if (job.join) {
    const sys::Fd names(kNamespaceFd);
    if (::setns(names.get(), CLONE_NEWNS) != 0) return fail_errno("join the container's mount namespace");
  }
  return root ? change_root(root) : enter_mounts(job);
}

}  // namespace skiff::archive
