#include <linux/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include <cstddef>
#include <cstdint>

/// Where skiff-runtime begins, before the C library's own beginning. What makes processes has to run as a
/// protected copy of itself (sys/executable.h), and a program that is going to be replaced need not set
/// itself up: the libraries' start touches some fifty pages, each a page fault, of which this touches five.
/// It decides nothing: whatever it cannot do is done, or explained, by main().
///
/// No library works yet: no thread-local storage (stack protector, errno), no memcpy. Static programs only.
namespace {

#if defined(__x86_64__)

asm(R"(
  .text
  .globl skiff_runtime_entry
  .type skiff_runtime_entry, @function
skiff_runtime_entry:
  .cfi_startproc
  .cfi_undefined rip
  xorl %ebp, %ebp
  movq %rsp, %rbx
  movq %rdx, %r12
  movq %rsp, %rdi
  andq $-16, %rsp
  call skiff_runtime_before_start
  movq %rbx, %rsp
  movq %r12, %rdx
  jmp _start
  .cfi_endproc
  .size skiff_runtime_entry, .-skiff_runtime_entry
)");

long call(long number, long a, long b, long c = 0, long d = 0, long e = 0) {
  long result = number;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  asm volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return result;
}

#elif defined(__aarch64__)

asm(R"(
  .text
  .globl skiff_runtime_entry
  .type skiff_runtime_entry, %function
skiff_runtime_entry:
  .cfi_startproc
  .cfi_undefined x30
  mov x29, #0
  mov x30, #0
  mov x19, x0
  mov x0, sp
  bl skiff_runtime_before_start
  mov x0, x19
  b _start
  .cfi_endproc
  .size skiff_runtime_entry, .-skiff_runtime_entry
)");

long call(long number, long a, long b, long c = 0, long d = 0, long e = 0) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  register long x4 asm("x4") = e;
  asm volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
}

#endif

long address(const void* pointer) { return static_cast<long>(reinterpret_cast<std::uintptr_t>(pointer)); }

bool equal(const char* a, const char* b) {
  while (*a != '\0' && *a == *b) {
    ++a;
    ++b;
  }
  return *a == *b;
}

/// Whether one of the words names a command that makes processes. A container of such a name costs its
/// callers the second start, and nothing else.
bool makes_processes(const char* const* words) {
  // Characters and not pointers: those of a program that lies anywhere are not yet what they will be.
  static constexpr char kMaking[][8] = {"create", "exec", "run"};
  for (; *words; ++words)
    for (const auto& command : kMaking)
      if (equal(*words, command)) return true;
  return false;
}

bool is_protected(const char* self) {
  constexpr long kReadOnly = 1;  // ST_RDONLY (statvfs(3))
  struct statfs info;            // not cleared: that might be a call of memset
  return call(SYS_statfs, address(self), address(&info)) == 0 && (info.f_flags & kReadOnly) != 0;
}

}  // namespace

/// `stack` is as the kernel leaves it: the number of words, the words, null, the environment, null.
extern "C" [[gnu::used]] void skiff_runtime_before_start(const long* stack) {
  constexpr const char* kSelf = "/proc/self/exe";
  constexpr long kHere = -100;               // AT_FDCWD
  constexpr long kCloneTree = 1 | 02000000;  // OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC
  constexpr long kEmptyPath = 0x1000;        // AT_EMPTY_PATH
  const auto words = reinterpret_cast<const char* const*>(stack + 1);
  const auto environment = words + stack[0] + 1;
  if (stack[0] < 2 || !makes_processes(words + 1) || is_protected(kSelf)) return;
  const long mount = call(SYS_open_tree, kHere, address(kSelf), kCloneTree);
  if (mount < 0) return;
  const mount_attr attributes = {MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0, 0, 0};
  if (call(SYS_mount_setattr, mount, address(""), kEmptyPath, address(&attributes), sizeof attributes) == 0)
    call(SYS_execveat, mount, address(""), address(words), address(environment), kEmptyPath);
  call(SYS_close, mount, 0);
}
