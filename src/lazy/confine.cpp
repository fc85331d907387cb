#include "lazy/confine.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

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

}  // namespace

Result<void> confine_server() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail_errno("no_new_privs");
  const landlock_ruleset_attr attributes{.handled_access_fs = kForbidden};
  const sys::Fd rules(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0)));
  if (!rules && errno != ENOSYS && errno != EOPNOTSUPP) return fail_errno("landlock");
  if (rules && ::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return fail_errno("landlock");
  if (const int error = sys::set_capabilities(0, 0, 0); error != 0) {
    errno = error;
    return fail_errno("capset");
  }
  return {};
}

}  // namespace skiff::lazy
