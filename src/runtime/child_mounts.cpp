#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstring>

#include "runtime/child.h"
#include "sys/overlay.h"
#include "sys/syscalls.h"

namespace skiff::runtime::child {
namespace {

constexpr int kRefused = -2;  ///< a mount that was tried and may be missing

/// "overlay to /: <what the kernel says about it>"
[[noreturn]] void fail_mount(const Context& context, const MountStep& step, int code, int filesystem = -1) {
  char detail[sizeof(Packet::detail)] = {};
  const char* type = step.action == MountStep::Action::Bind ? step.source.c_str() : step.type.c_str();
  std::size_t size = 0;
  const auto add = [&](const char* text, std::size_t length) {
    const std::size_t fits = std::min(length, sizeof detail - 1 - size);
    std::memcpy(detail + size, text, fits);
    size += fits;
  };
  add(type, std::strlen(type));
  add(" to ", 4);
  add(step.destination.c_str(), step.destination.size());
  // The file system context carries the kernel's own words: "e overlay: ...".
  char line[256];
  const ssize_t got = filesystem >= 0 ? ::read(filesystem, line, sizeof line) : 0;
  if (got > 2 && line[0] == 'e') {
    add(" (", 2);
    add(line + 2, static_cast<std::size_t>(got) - 2 - (line[got - 1] == '\n' ? 1 : 0));
    add(")", 1);
  }
  fail(context, step.action == MountStep::Action::Bind ? Step::Bind : Step::Mount, code, detail);
}

/// An older kernel mounts it somewhere for a moment, in our namespace only.
int old_overlay(const Context& context, const MountStep& step) {
  const int tree = sys::mount_overlay_page(step.options, step.superblock_readonly);
  if (tree < 0) fail_mount(context, step, errno);
  return tree;
}

int open_filesystem(const Context& context, const MountStep& step) {
  const int filesystem = sys::raw::fsopen(step.type.c_str());
  if (filesystem < 0) fail_mount(context, step, errno);
  if (step.type == "overlay" && sys::overlay_reads_late(filesystem, step.options)) {
    ::close(filesystem);
    return old_overlay(context, step);
  }
  const char* source = step.source.empty() ? step.type.c_str() : step.source.c_str();
  if (sys::raw::fsconfig(filesystem, FSCONFIG_SET_STRING, "source", source, 0) != 0)
    fail_mount(context, step, errno, filesystem);
  for (const auto& option : step.options) {
    const int result =
        option.value ? sys::raw::fsconfig(filesystem, FSCONFIG_SET_STRING, option.key.c_str(),
                                          option.value->c_str(), 0)
                     : sys::raw::fsconfig(filesystem, FSCONFIG_SET_FLAG, option.key.c_str(), nullptr, 0);
    if (result == 0) continue;
    if (errno == EINVAL && option.key == "lowerdir+") {
      ::close(filesystem);
      return old_overlay(context, step);
    }
    fail_mount(context, step, errno, filesystem);
  }
  if (step.superblock_readonly) (void)sys::raw::fsconfig(filesystem, FSCONFIG_SET_FLAG, "ro", nullptr, 0);
  if (sys::raw::fsconfig(filesystem, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    const int code = errno;
    // A user namespace may not mount the sysfs of a network namespace it does not own: the host's is shown.
    if (code == EPERM && step.type == "sysfs") {
      ::close(filesystem);
      return sys::raw::open_tree(AT_FDCWD, "/sys", OPEN_TREE_CLONE | AT_RECURSIVE);
    }
    if (step.optional) {
      ::close(filesystem);
      return -1;
    }
    fail_mount(context, step, code, filesystem);
  }
  const int mount = sys::raw::fsmount(filesystem, static_cast<unsigned>(step.set));
  if (mount < 0 && !step.optional) fail_mount(context, step, errno, filesystem);
  ::close(filesystem);
  return mount;
}

void set_attributes(const Context& context, const MountStep& step, int mount, bool bind) {
  if (bind && (step.set | step.clear) != 0 &&
      sys::raw::mount_setattr(mount, "", AT_EMPTY_PATH, step.set, step.clear) != 0)
    fail_mount(context, step, errno);
  if ((step.set_recursive | step.clear_recursive) != 0 &&
      sys::raw::mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, step.set_recursive,
                              step.clear_recursive) != 0)
    fail_mount(context, step, errno);
}

/// Propagation is set where the mount is attached: a detached tree belongs to nobody's peers.
void set_propagation(const Context& context, const MountStep& step, int mount) {
  if (step.propagation != 0 && sys::raw::mount_setattr(mount, "", AT_EMPTY_PATH, 0, 0, step.propagation) != 0)
    fail_mount(context, step, errno);
  if (step.propagation_recursive != 0 &&
      sys::raw::mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, 0, 0, step.propagation_recursive) != 0)
    fail_mount(context, step, errno);
}

int open_destination(const Context& context, const MountStep& step, bool directory) {
  const int fd = make_inside(context.root, step.destination.c_str(), directory);
  if (fd < 0) fail(context, Step::CreateDestination, errno, step.destination.c_str());
  struct statfs info = {};
  if (::fstatfs(fd, &info) != 0) fail(context, Step::CreateDestination, errno, step.destination.c_str());
  // Below /proc a mount could hide what the kernel tells, or send our own writes elsewhere (CVE-2019-16884).
  if (info.f_type == PROC_SUPER_MAGIC && !step.over_proc) fail_mount(context, step, EPERM);
  // An image whose /proc is a link would have us write to a file of its own (CVE-2019-19921, CVE-2023-27561).
  if (step.type == "proc" || step.type == "sysfs") {
    const int plain =
        open_inside(context.root, step.destination.c_str(), O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
    if (plain < 0) fail_mount(context, step, errno);
    ::close(fd);
    return plain;
  }
  return fd;
}

void make_link(const Context& context, const MountStep& step) {
  PathBuffer parent;
  if (!parent.set(step.destination.c_str())) fail(context, Step::CgroupLink, errno);
  char* slash = std::strrchr(parent.text, '/');
  *slash = '\0';
  const int directory = make_inside(context.root, parent.text, true);
  if (directory < 0 || (::symlinkat(step.source.c_str(), directory, slash + 1) != 0 && errno != EEXIST))
    fail(context, Step::CgroupLink, errno, step.destination.c_str());
  ::close(directory);
}

}  // namespace

int detached_mount(const Context& context, const MountStep& step) {
  const bool bind = step.action == MountStep::Action::Bind;
  int mount = -1;
  if (bind) {
    mount = step.tree >= 0 ? step.tree
                           : sys::raw::open_tree(AT_FDCWD, step.source.c_str(),
                                                 OPEN_TREE_CLONE | (step.recursive ? AT_RECURSIVE : 0));
    if (mount < 0 && !step.optional) fail_mount(context, step, errno);
    if (mount < 0) return -1;
  } else {
    mount = open_filesystem(context, step);
    if (mount < 0) return -1;
  }
  set_attributes(context, step, mount, bind);
  return mount;
}

void prepare_mount(const Context& context, const MountStep& step) {
  if (step.action != MountStep::Action::Bind && step.action != MountStep::Action::Filesystem) return;
  step.prepared = detached_mount(context, step);
  if (step.prepared < 0) step.prepared = kRefused;
}

void make_mount(const Context& context, const MountStep& step) {
  if (step.action == MountStep::Action::Link) return make_link(context, step);
  if (step.action == MountStep::Action::Remount) {
    const int fd = open_inside(context.root, step.destination.c_str(), O_PATH);
    if (fd < 0 || sys::raw::mount_setattr(fd, "", AT_EMPTY_PATH, step.set, step.clear) != 0)
      fail_mount(context, step, errno);
    ::close(fd);
    return;
  }
  if (step.prepared == -1) prepare_mount(context, step);
  const int mount = step.prepared;
  if (mount < 0) return;  // optional, and refused
  struct stat info = {};
  if (::fstat(mount, &info) != 0) fail_mount(context, step, errno);
  const int destination = open_destination(context, step, S_ISDIR(info.st_mode));
  if (step.copy_up) copy_up(context, step.destination.c_str(), destination, mount);
  if (sys::raw::attach(mount, destination) != 0) fail_mount(context, step, errno);
  set_propagation(context, step, mount);
  ::close(destination);
  ::close(mount);
}

}  // namespace skiff::runtime::child
