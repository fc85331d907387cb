#include "archive/confine.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

namespace skiff::archive {

namespace {

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the archive worker's system call filter knows x86-64 and arm64"
#endif

/// The most frequent ones first: the filter asks in this order.
constexpr int kAllowed[] = {
    SYS_openat,         SYS_write,        SYS_close,
    SYS_fchown,         SYS_fchmod,       SYS_utimensat,
    SYS_read,           SYS_newfstatat,   SYS_fstat,
    SYS_fsetxattr,      SYS_openat2,      SYS_getdents64,
    SYS_mkdirat,        SYS_unlinkat,     SYS_linkat,
    SYS_symlinkat,      SYS_mknodat,      SYS_fchownat,
    SYS_fchmodat,       SYS_readlinkat,   SYS_lseek,
    SYS_ftruncate,      SYS_flistxattr,   SYS_fgetxattr,
    SYS_fcntl,          SYS_brk,          SYS_munmap,
    SYS_mremap,         SYS_madvise,      SYS_futex,
    SYS_exit_group,     SYS_exit,         SYS_rt_sigreturn,
    SYS_writev,         SYS_pread64,      SYS_pwrite64,
    SYS_fadvise64,      SYS_statx,        SYS_dup,
    SYS_clock_gettime,  SYS_gettimeofday, SYS_getrandom,
    SYS_rt_sigprocmask, SYS_rt_sigaction, SYS_sigaltstack,
    SYS_umask,          SYS_getpid,       SYS_gettid,
    SYS_tgkill,         SYS_sched_yield,  SYS_copy_file_range,
    SYS_fallocate,      SYS_fstatfs,
#ifdef SYS_open
    SYS_readlink,       SYS_lstat,        SYS_stat,
#endif
};

/// Their third argument is the protection.
constexpr int kMapping[] = {SYS_mmap, SYS_mprotect};

constexpr std::uint32_t kDeny = SECCOMP_RET_ERRNO | EPERM;

sock_filter load(std::size_t offset) {
  return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
}
sock_filter answer(std::uint32_t value) { return BPF_STMT(BPF_RET | BPF_K, value); }

std::vector<sock_filter> program() {
  std::vector<sock_filter> code = {
      load(offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
      answer(SECCOMP_RET_KILL_PROCESS),
      load(offsetof(seccomp_data, nr)),
  };
  for (const int call : kAllowed) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
    code.push_back(answer(SECCOMP_RET_ALLOW));
  }
  for (const int call : kMapping) {
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 4));
    // The low word of the argument on little-endian machines, which is what both architectures above are.
    code.push_back(load(offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t)));
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
    code.push_back(answer(kDeny));
    code.push_back(answer(SECCOMP_RET_ALLOW));
  }
  code.push_back(answer(kDeny));
  return code;
}

}  // namespace

Result<void> confine_process() {
  auto code = program();
  const sock_fprog filter{static_cast<unsigned short>(code.size()), code.data()};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("no_new_privs");
  // A positive answer is the thread that could not be confined (seccomp(2), SECCOMP_FILTER_FLAG_TSYNC).
  if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0)
    return fail_errno("seccomp");
  return {};
}

}  // namespace skiff::archive
