#include "sys/namespace.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/undo.h"
#include "sys/file.h"
#include "sys/syscalls.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

namespace skiff::sys {

const std::array<NamespaceKind, 8>& namespace_kinds() {
  static constexpr std::array<NamespaceKind, 8> kKinds{{{"user", "user", CLONE_NEWUSER},
                                                        {"pid", "pid", CLONE_NEWPID},
                                                        {"network", "net", CLONE_NEWNET},
                                                        {"ipc", "ipc", CLONE_NEWIPC},
                                                        {"uts", "uts", CLONE_NEWUTS},
                                                        {"cgroup", "cgroup", CLONE_NEWCGROUP},
                                                        {"time", "time", CLONE_NEWTIME},
                                                        {"mount", "mnt", CLONE_NEWNS}}};
  return kKinds;
}

std::optional<NamespaceKind> find_namespace(std::string_view oci_name) {
  for (const auto& kind : namespace_kinds())
    if (kind.oci_name == oci_name) return kind;
  return std::nullopt;
}

Result<Fd> open_namespace(const std::string& path, int flag) {
  auto fd = TRY(open_file(path, O_RDONLY));
  const int found = ::ioctl(fd.get(), NS_GET_NSTYPE);
  if (found < 0 && errno != ENOTTY) return fail_errno("kind of namespace {}", path);
  if (found < 0) return fail(Kind::InvalidArgument, "{} is not a namespace", path);
  if (found != flag) return fail(Kind::InvalidArgument, "{} is a namespace of another kind", path);
  return fd;
}

Result<int> joinable_namespaces(const Process& process) {
  int flags = 0;
  for (const auto& kind : namespace_kinds()) {
    struct stat ours = {};
    struct stat theirs = {};
    const auto path = fmt::format("/proc/{}/ns/{}", process.pid(), kind.proc_name);
    if (::stat(fmt::format("/proc/self/ns/{}", kind.proc_name).c_str(), &ours) != 0) continue;
    if (::stat(path.c_str(), &theirs) != 0) return fail_errno("stat {}", path);
    if (ours.st_ino != theirs.st_ino) flags |= kind.flag;
  }
  return flags;
}

Result<Fd> make_user_namespace(const std::string& uid_map, const std::string& gid_map) {
  int pidfd = -1;
  clone_args args = {};
  args.flags = CLONE_NEWUSER | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<std::uint64_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  const pid_t pid = raw::clone3(args);
  if (pid < 0) return fail_errno("make a user namespace");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) ::pause();
  }
  const Process process(pid, Fd(pidfd));
  UndoStack undo;
  undo.add([&] {
    (void)process.signal(SIGKILL);
    (void)process.wait();
  });
  const auto directory = fmt::format("/proc/{}", pid);
  TRY_CONTEXT(write_existing(directory + "/gid_map", gid_map), "map group ids");
  TRY_CONTEXT(write_existing(directory + "/uid_map", uid_map), "map user ids");
  return open_file(directory + "/ns/user", O_RDONLY);
}

}  // namespace skiff::sys
