#include "sys/executable.h"

#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "sys/file.h"
#include "sys/syscalls.h"

namespace skiff::sys {
namespace {

constexpr const char* kSelf = "/proc/self/exe";
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

}  // namespace

Result<Fd> executable_in_memory(const char* path) {
  const auto source = TRY(open_file(path, O_RDONLY));
  struct stat info = {};
  if (::fstat(source.get(), &info) != 0) return fail_errno("stat {}", path);
  // Since Linux 6.3 a file in memory is to say that it is executable; before, it need not and cannot.
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  Fd copy(::memfd_create("skiff", kFlags | MFD_EXEC));
  if (!copy && errno == EINVAL) copy = Fd(::memfd_create("skiff", kFlags));
  if (!copy) return fail_errno("memfd_create");
  for (off_t done = 0; done < info.st_size;) {
    const ssize_t sent =
        ::sendfile(copy.get(), source.get(), nullptr, static_cast<std::size_t>(info.st_size - done));
    if (sent <= 0) return fail_errno("copy {}", path);
    done += sent;
  }
  if (::fchmod(copy.get(), 0500) != 0 || ::fcntl(copy.get(), F_ADD_SEALS, kSeals) != 0)
    return fail_errno("seal the copy of {}", path);
  return copy;
}

Result<Fd> open_protected_executable(const char* path) {
  Fd mount(raw::open_tree(AT_FDCWD, path, OPEN_TREE_CLONE));
  if (mount && raw::mount_setattr(mount.get(), "", AT_EMPTY_PATH,
                                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, 0) == 0)
    return mount;
  return executable_in_memory(path);
}

bool is_protected_executable() {
  struct statvfs info = {};
  if (::statvfs(kSelf, &info) == 0 && (info.f_flag & ST_RDONLY) != 0) return true;
  const auto self = open_file(kSelf, O_RDONLY);
  return self && (::fcntl(self->get(), F_GET_SEALS) & F_SEAL_WRITE) != 0 &&
         ::fcntl(self->get(), F_GET_SEALS) >= 0;
}

Result<void> protect_own_executable(char** arguments) {
  if (is_protected_executable()) return {};
  const auto image = TRY(open_protected_executable(kSelf));
  ::syscall(SYS_execveat, image.get(), "", arguments, environ, AT_EMPTY_PATH);
  return fail_errno("execute the protected copy of this program");
}

}  // namespace skiff::sys
