#include "archive/confine.h"

#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "sys/call_filter.h"

namespace skiff::archive {

namespace {

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

std::vector<sock_filter> program() {
  auto code = sys::begin_filter();
  for (const int call : kAllowed) {
    code.push_back(sys::unless_equal(static_cast<std::uint32_t>(call), 1));
    code.push_back(sys::answer(SECCOMP_RET_ALLOW));
  }
  for (const int call : kMapping) {
    code.push_back(sys::unless_equal(static_cast<std::uint32_t>(call), 4));
    code.push_back(sys::load_argument(2));
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 0, 1));
    code.push_back(sys::answer(sys::kDenied));
    code.push_back(sys::answer(SECCOMP_RET_ALLOW));
  }
  code.push_back(sys::answer(sys::kDenied));
  return code;
}

}  // namespace

Result<void> confine_process() { return sys::install_filter(program()); }

}  // namespace skiff::archive
