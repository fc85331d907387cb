#include "runtime/launch.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sys/syscalls.h"

namespace skiff::runtime {
namespace {

constexpr std::size_t kHelperStack = 512 << 10;

struct Birth {
  const Birthplace* place = nullptr;
  void (*entry)(void*) = nullptr;
  void* argument = nullptr;
  unsigned long extra_flags = 0;
  pid_t pid = -1;
  int pidfd = -1;
  int code = 0;  ///< errno of what failed
  const char* step = "";
};

void give_birth(Birth& birth) {
  clone_args args = {};
  args.flags = CLONE_PIDFD | birth.place->new_namespaces | birth.extra_flags;
  args.pidfd = reinterpret_cast<std::uint64_t>(&birth.pidfd);
  // With CLONE_PARENT the new process inherits the helper's signal.
  args.exit_signal = birth.extra_flags & CLONE_PARENT ? 0 : SIGCHLD;
  if (birth.place->cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(birth.place->cgroup);
  }
  const pid_t pid = sys::raw::clone3(args);
  if (pid == 0) {
    birth.entry(birth.argument);
    ::_exit(1);
  }
  birth.pid = pid;
  if (pid < 0) {
    birth.code = errno;
    birth.step = "clone3";
  }
}

/// The helper's whole life. It shares memory and descriptors with the parent, who stands still meanwhile.
int join_and_give_birth(void* argument) {
  Birth& birth = *static_cast<Birth*>(argument);
  const Birthplace& place = *birth.place;
  if (place.joined) {
    for (const auto& space : *place.joined) {
      if (::setns(space.fd.get(), space.flag) == 0) continue;
      birth.code = errno;
      birth.step = space.type.c_str();
      return 1;
    }
  }
  if (place.target_pidfd >= 0 && place.target_namespaces != 0 &&
      ::setns(place.target_pidfd, place.target_namespaces) != 0) {
    birth.code = errno;
    birth.step = "all namespaces";
    return 1;
  }
  birth.extra_flags = CLONE_PARENT;
  give_birth(birth);
  return 0;
}

/// A copy of our memory is born among processes that may be hostile: it must not be open to them (ptrace(2),
/// /proc/PID/fd) even for the instant before it could say so itself. Inherited across clone.
class Unreadable {
 public:
  Unreadable() : before_(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)) { ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
  ~Unreadable() {
    if (before_ == 1) ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
  Unreadable(const Unreadable&) = delete;
  Unreadable& operator=(const Unreadable&) = delete;

 private:
  int before_;
};

}  // namespace

Result<sys::Process> launch(const Birthplace& place, void (*entry)(void*), void* argument) {
  const Unreadable unreadable;
  Birth birth;
  birth.place = &place;
  birth.entry = entry;
  birth.argument = argument;
  const bool join = place.target_pidfd >= 0 || (place.joined && !place.joined->empty());
  if (!join) {
    give_birth(birth);
  } else {
    alignas(16) static char stack[kHelperStack];
    const pid_t helper = ::clone(join_and_give_birth, stack + sizeof stack,
                                 CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD, &birth);
    if (helper < 0) return fail_errno("clone a helper");
    int status = 0;
    while (::waitpid(helper, &status, 0) < 0 && errno == EINTR) {
    }
    if (birth.code != 0 && birth.pid < 0 && birth.extra_flags == 0)
      return Error::from_errno(fmt::format("join namespace {}", birth.step), birth.code);
  }
  if (birth.pid < 0) return Error::from_errno("clone the container's process", birth.code);
  return sys::Process(birth.pid, sys::Fd(birth.pidfd));
}

}  // namespace skiff::runtime
