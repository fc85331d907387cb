#include "runtime/device_nodes.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sys/syscalls.h"

namespace skiff::runtime {
namespace {

constexpr std::size_t kHelperStack = 64 << 10;

struct Node {
  DeviceStep* step;
  std::string name;
  uid_t uid;  ///< the host's
  gid_t gid;
  int tree = -1;
};

struct Work {
  std::vector<Node>* nodes;
  int code = 0;
};

/// Whether binding the host's node gives what is wished.
bool host_has_it(const DeviceStep& device, uid_t uid, gid_t gid) {
  const auto path = device.directory + "/" + device.name;
  struct stat info = {};
  if (::lstat(path.c_str(), &info) != 0 || info.st_rdev != device.device) return false;
  if ((info.st_mode & S_IFMT) != (device.mode & S_IFMT)) return false;
  // Who wants root to own it gets the host's root, as with every runtime that binds.
  const bool plain = device.uid == 0 && device.gid == 0;
  return (info.st_mode & 07777) == (device.mode & 07777) &&
         (plain || (info.st_uid == uid && info.st_gid == gid));
}

int make_nodes(Work& work) {
  if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return errno;
  const int filesystem = sys::raw::fsopen("tmpfs");
  if (filesystem < 0 || sys::raw::fsconfig(filesystem, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return errno;
  const int page = sys::raw::fsmount(filesystem, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  const int here = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  ::close(filesystem);
  // Cloned from is only what is attached. In this namespace nobody looks at what it covers, and it goes with
  // the last bound node.
  if (page < 0 || here < 0 || sys::raw::attach(page, here) != 0) return errno;
  ::close(here);
  ::umask(0);
  // What is to be attached must have a name: the nodes stay where they are.
  for (auto& node : *work.nodes) {
    const char* name = node.name.c_str();
    if (::mknodat(page, name, node.step->mode, node.step->device) != 0) return errno;
    if (::fchownat(page, name, node.uid, node.gid, AT_SYMLINK_NOFOLLOW) != 0) return errno;
    node.tree = sys::raw::open_tree(page, name, OPEN_TREE_CLONE);
    if (node.tree < 0) return errno;
  }
  ::close(page);
  return 0;
}

/// Shares memory and descriptors with the parent, who waits; its mount namespace is its own.
int helper(void* argument) {
  auto& work = *static_cast<Work*>(argument);
  work.code = make_nodes(work);
  return 0;
}

std::uint32_t to_host(const std::vector<spec::oci::IdMapping>& mappings, std::uint32_t id) {
  for (const auto& m : mappings)
    if (id >= m.container_id && id - m.container_id < m.size) return m.host_id + (id - m.container_id);
  return id;
}

}  // namespace

Result<void> make_device_nodes(std::vector<DeviceStep>& devices, const spec::oci::Linux& config) {
  std::vector<Node> nodes;
  for (auto& device : devices) {
    const auto uid = to_host(config.uid_mappings, device.uid);
    const auto gid = to_host(config.gid_mappings, device.gid);
    if (!host_has_it(device, uid, gid)) nodes.push_back({&device, std::to_string(nodes.size()), uid, gid});
  }
  if (nodes.empty() || ::geteuid() != 0) return {};
  Work work{&nodes};
  alignas(16) static char stack[kHelperStack];
  const pid_t pid =
      ::clone(helper, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &work);
  if (pid < 0) return fail_errno("clone a helper");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  for (auto& node : nodes) node.step->node = sys::Fd(node.tree);
  // Without the right to mknod the child binds what the host has.
  if (work.code == EPERM) {
    for (auto& node : nodes) node.step->node.reset();
    return {};
  }
  if (work.code != 0) return Error::from_errno("make device nodes", work.code);
  return {};
}

}  // namespace skiff::runtime
