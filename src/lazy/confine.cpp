#include "lazy/confine.h"

#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "sys/call_filter.h"
#include "sys/capabilities.h"
#include "sys/fd.h"

namespace skiff::lazy {
namespace {

/// Files that are open stay as they are. Those of the first version (landlock(7)).
constexpr std::uint64_t kForbidden =
    LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
    LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
/// Of the third version, which the headers of older kernels lack: LANDLOCK_ACCESS_FS_TRUNCATE.
constexpr std::uint64_t kTruncate = 1ULL << 14;

/// What Landlock does not see, and what a process that has the user id 0 may do without a capability. The
/// newer ones by their numbers, which are the same everywhere.
constexpr int kGivenUp[] = {
    // other processes
    SYS_execve, SYS_execveat, SYS_kill, SYS_tkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_ptrace,
    SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, SYS_setpriority, SYS_prlimit64,
    424 /* pidfd_send_signal */, 434 /* pidfd_open */, 438 /* pidfd_getfd */, 440 /* process_madvise */,
    448 /* process_mrelease */,
    // attributes of files
    SYS_truncate, SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_setxattr,
    SYS_lsetxattr, SYS_fsetxattr, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, 452 /* fchmodat2 */,
    463 /* setxattrat */, 466 /* removexattrat */,
#ifdef SYS_chmod
    SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat,
#endif
    // ways around this, and into the kernel
    425 /* io_uring_setup */, 426 /* io_uring_enter */, 427 /* io_uring_register */, SYS_unshare, SYS_setns,
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_keyctl, SYS_add_key, SYS_request_key};

/// Calls of the x32 interface have the same architecture, and this bit in their numbers.
constexpr std::uint32_t kX32 = 0x40000000;

std::vector<sock_filter> program() {
  auto code = sys::begin_filter();
  code.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32, 0, 1));
  code.push_back(sys::answer(sys::kDenied));
  for (const int call : kGivenUp) {
    code.push_back(sys::unless_equal(static_cast<std::uint32_t>(call), 1));
    code.push_back(sys::answer(sys::kDenied));
  }
  // Sockets of other programs of the machine, its daemons' and ours. Names are resolved without them.
  code.push_back(sys::unless_equal(SYS_socket, 4));
  code.push_back(sys::load_argument(0));
  code.push_back(sys::unless_equal(AF_UNIX, 1));
  code.push_back(sys::answer(sys::kDenied));
  code.push_back(sys::answer(SECCOMP_RET_ALLOW));
  // Its own threads it may signal: abort(3) does.
  code.push_back(sys::unless_equal(SYS_tgkill, 3));
  code.push_back(sys::load_argument(0));
  code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(::getpid()), 1, 0));
  code.push_back(sys::answer(sys::kDenied));
  code.push_back(sys::answer(SECCOMP_RET_ALLOW));
  return code;
}

Result<void> forbid_files() {
  const auto create = [](const landlock_ruleset_attr* attributes, std::size_t size, unsigned flags) {
    return static_cast<int>(::syscall(SYS_landlock_create_ruleset, attributes, size, flags));
  };
  const int version = create(nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP)) return {};
  const landlock_ruleset_attr attributes{.handled_access_fs = kForbidden | (version >= 3 ? kTruncate : 0)};
  const sys::Fd rules(create(&attributes, sizeof attributes, 0));
  if (!rules || ::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return fail_errno("landlock");
  return {};
}

}  // namespace

Result<void> confine_server() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("no_new_privs");
  TRY(forbid_files());
  if (const int error = sys::set_capabilities(0, 0, 0); error != 0) {
    errno = error;
    return fail_errno("capset");
  }
  return sys::install_filter(program());
}

}  // namespace skiff::lazy
