#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstring>

#include "runtime/child.h"
#include "sys/syscalls.h"

namespace skiff::runtime::child {
namespace {

const char* root_name(const RootPlan& root) {
  return root.mounts.empty() ? root.bind_path.c_str() : root.mounts.front().type.c_str();
}

void prepare_root(Context& context) {
  const RootPlan& root = context.plan->root;
  if (!root.mounts.empty())
    context.root = detached_mount(context, root.mounts.front());
  else
    context.root = root.tree ? root.tree.get()
                             : sys::raw::open_tree(AT_FDCWD, root_name(root), OPEN_TREE_CLONE | AT_RECURSIVE);
  if (context.root < 0) fail(context, Step::MountRoot, errno, root_name(root));
}

/// Where the root is mounted until pivot_root. Over our own "/" it needs no directory of its own, and in this
/// namespace nobody looks at what it covers; our root stays the old one. createContainer hooks, however, look
/// for it where config.json says.
int open_mount_point(const Context& context) {
  const RootPlan& root = context.plan->root;
  if (!context.plan->create_container.empty() && !root.bind_path.empty()) {
    const int here = ::open(root.bind_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (here >= 0) return here;
    // Root of a user namespace may not be let through to it.
    warn(context, Step::RootForHooks, errno, root.bind_path.c_str());
  }
  return ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void attach_root(Context& context) {
  const RootPlan& root = context.plan->root;
  const int here = open_mount_point(context);
  if (here < 0 || sys::raw::attach(context.root, here) != 0)
    fail(context, Step::MountRoot, errno, root_name(root));
  ::close(here);
  for (std::size_t i = 1; i < root.mounts.size(); ++i) make_mount(context, root.mounts[i]);
}

/// A user namespace may not make device nodes: the host's are bound instead.
void bind_device(const Context& context, const DeviceStep& device, int directory) {
  PathBuffer path;
  if (!path.set(device.directory.c_str(), "/", device.name.c_str())) fail(context, Step::Device, errno);
  const int file =
      ::openat(directory, device.name.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file >= 0) ::close(file);
  const int target = ::openat(directory, device.name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC);
  const int tree =
      device.node ? device.node.get() : sys::raw::open_tree(AT_FDCWD, path.text, OPEN_TREE_CLONE);
  if (target < 0 || tree < 0 || sys::raw::attach(tree, target) != 0)
    fail(context, Step::Device, errno, path.text);
  ::close(target);
  ::close(tree);
}

void make_device(const Context& context, const DeviceStep& device, int directory) {
  if (context.plan->new_namespaces & CLONE_NEWUSER) return bind_device(context, device, directory);
  if (::mknodat(directory, device.name.c_str(), device.mode, device.device) != 0) {
    const int code = errno;
    struct stat info = {};
    if (code == EPERM && !S_ISFIFO(device.mode)) return bind_device(context, device, directory);
    const bool same = code == EEXIST &&
                      ::fstatat(directory, device.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
                      (info.st_mode & S_IFMT) == (device.mode & S_IFMT) && info.st_rdev == device.device;
    if (!same) fail(context, Step::Device, code, device.name.c_str());
  }
  if ((device.uid != 0 || device.gid != 0) &&
      ::fchownat(directory, device.name.c_str(), device.uid, device.gid, AT_SYMLINK_NOFOLLOW) != 0)
    fail(context, Step::Device, errno, device.name.c_str());
}

/// Descriptors of directories below the root, one at a time: nearly everything goes to /dev.
class DirectoryCache {
 public:
  explicit DirectoryCache(const Context& context) : context_(context) {}
  int open(const char* path) {
    if (path_ && std::strcmp(path_, path) == 0) return fd_;
    if (fd_ >= 0) ::close(fd_);
    path_ = path;
    fd_ = make_inside(context_.root, path, true);
    if (fd_ < 0) fail(context_, Step::CreateDestination, errno, path);
    return fd_;
  }
  ~DirectoryCache() {
    if (fd_ >= 0) ::close(fd_);
  }
  DirectoryCache(const DirectoryCache&) = delete;
  DirectoryCache& operator=(const DirectoryCache&) = delete;

 private:
  const Context& context_;
  const char* path_ = nullptr;
  int fd_ = -1;
};

void fill_dev(const Context& context) {
  DirectoryCache directories(context);
  for (const auto& device : context.plan->devices) {
    if (!context.plan->set_up_dev && device.directory == "/dev") continue;
    make_device(context, device, directories.open(device.directory.c_str()));
  }
  for (const auto& link : context.plan->links) {
    const int directory = directories.open(link.directory.c_str());
    if (::symlinkat(link.target.c_str(), directory, link.name.c_str()) == 0 || errno == EEXIST) continue;
    fail(context, Step::DefaultLink, errno, link.name.c_str());
  }
}

void make_working_directory(const Context& context) {
  const int fd = make_inside(context.root, context.process->cwd.c_str(), true);
  // A read-only or odd root is not an error here: chdir will say what is wrong.
  if (fd >= 0) ::close(fd);
}

void enter_root(const Context& context) {
  const RootPlan& root = context.plan->root;
  if (::fchdir(context.root) != 0) fail(context, Step::PivotRoot, errno, "fchdir");
  if (root.no_pivot) {
    if (::chroot(".") != 0) fail(context, Step::PivotRoot, errno, "chroot");
  } else {
    // Both the same directory: the old root ends up on top of the new one, from where it is taken off.
    if (sys::raw::pivot_root(".", ".") != 0) fail(context, Step::PivotRoot, errno);
    if (::umount2(".", MNT_DETACH) != 0) fail(context, Step::PivotRoot, errno, "detach the old root");
  }
  if (::chdir("/") != 0) fail(context, Step::PivotRoot, errno, "chdir");
  if (root.final_propagation != 0 && ::mount(nullptr, "/", nullptr, root.final_propagation, nullptr) != 0)
    fail(context, Step::Propagation, errno);
}

}  // namespace

void set_up_root(Context& context) {
  const Plan& plan = *context.plan;
  if (::mount(nullptr, "/", nullptr, plan.root.propagation, nullptr) != 0)
    fail(context, Step::Propagation, errno);
  ::umask(0);
  // Before the container's root may lie over "/": from then on a link of the host with one ".." too many
  // would lead into it, and an absolute link of the image from there to wherever it likes. All kinds of
  // mounts at once, because the kernel lists them in the order in which they were made, and programs look for
  // the configuration's.
  prepare_root(context);
  for (const auto& step : plan.mounts) prepare_mount(context, step);
  attach_root(context);
  for (const auto& step : plan.mounts) make_mount(context, step);
  fill_dev(context);
  if (context.process->terminal) open_console(context, context.root, plan.set_up_dev);
  make_working_directory(context);
  run_container_hooks(context, plan.create_container);
  protect_paths(context);
  mask_paths(context);
  if (plan.root.readonly &&
      sys::raw::mount_setattr(context.root, "", AT_EMPTY_PATH, MOUNT_ATTR_RDONLY, 0) != 0)
    fail(context, Step::ReadonlyRoot, errno);
  enter_root(context);
  ::close(context.root);
  context.root = -1;
  ::umask(0022);
}

}  // namespace skiff::runtime::child
