#pragma once

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

/// System calls that glibc 2.36 has no wrapper for, or whose wrapper does more than the call. They touch
/// neither heap nor locks, so that code between clone and execve may use them. All return -1 with errno.
namespace skiff::sys::raw {

/// Filesystem configuration that grew after Debian 12's kernel headers.
constexpr unsigned kMoveMountBeneath = 0x200;

inline pid_t clone3(clone_args& args) {
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof(args)));
}

/// fork without clone3, for code that runs under a container's seccomp filter: those of Docker answer clone3
/// with ENOSYS, because a filter cannot look into its flags. With `pidfd` the child's descriptor is stored
/// there.
inline pid_t fork(int* pidfd = nullptr) {
  // The first three arguments are in the same order on all architectures but s390 (clone(2)).
  const unsigned long flags = SIGCHLD | (pidfd ? CLONE_PIDFD : 0UL);
  return static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, pidfd, nullptr, nullptr));
}

inline int openat2(int dir, const char* path, std::uint64_t flags, std::uint64_t mode,
                   std::uint64_t resolve) {
  open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.mode = mode;
  how.resolve = resolve;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, dir, path, &how, sizeof(how));
    // The kernel answers EAGAIN when a rename raced with the resolution of ".." (openat2(2)).
    if (fd >= 0 || errno != EAGAIN) return static_cast<int>(fd);
  }
}

inline int fsopen(const char* type) { return static_cast<int>(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC)); }
inline int fsconfig(int context, unsigned command, const char* key, const void* value, int number) {
  return static_cast<int>(::syscall(SYS_fsconfig, context, command, key, value, number));
}
inline int fsmount(int context, unsigned attributes) {
  return static_cast<int>(::syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes));
}
inline int open_tree(int dir, const char* path, unsigned flags) {
  return static_cast<int>(::syscall(SYS_open_tree, dir, path, flags | OPEN_TREE_CLOEXEC));
}
/// Attaches the detached mount `from` at the place `to`; both are descriptors, so no path can be raced.
inline int attach(int from, int to) {
  return static_cast<int>(
      ::syscall(SYS_move_mount, from, "", to, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}
inline int mount_setattr(int dir, const char* path, unsigned flags, std::uint64_t set, std::uint64_t clear,
                         std::uint64_t propagation = 0) {
  struct mount_attr attr = {};
  attr.attr_set = set;
  attr.attr_clr = clear;
  attr.propagation = propagation;
  return static_cast<int>(::syscall(SYS_mount_setattr, dir, path, flags, &attr, sizeof(attr)));
}
/// Shows the detached mount `tree` with its owners mapped as the user namespace `userns` maps them.
inline int mount_idmap(int tree, int userns, bool recursive) {
  struct mount_attr attr = {};
  attr.attr_set = MOUNT_ATTR_IDMAP;
  attr.userns_fd = static_cast<std::uint64_t>(userns);
  return static_cast<int>(::syscall(SYS_mount_setattr, tree, "",
                                    AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)));
}
inline int pivot_root(const char* new_root, const char* put_old) {
  return static_cast<int>(::syscall(SYS_pivot_root, new_root, put_old));
}

inline int pidfd_open(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }
inline int close_range(unsigned first, unsigned last, unsigned flags) {
  return static_cast<int>(::syscall(SYS_close_range, first, last, flags));
}

}  // namespace skiff::sys::raw
