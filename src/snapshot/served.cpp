#include "snapshot/served.h"

#include <sys/mount.h>

#include <cerrno>
#include <cstdio>

#include "snapshot/store.h"
#include "sys/file.h"

namespace skiff::snapshot {
namespace {

/// A folder in which something is mounted can be renamed, other than the one on which it is.
constexpr const char* kOuter = "lazy";
constexpr const char* kLeaving = "lazy-leaving";

}  // namespace

Result<void> make_served_place(const std::string& directory) {
  return sys::make_directories(directory + "/" + kServedPlace, 0700);
}

Result<void> remove_served_place(const std::string& directory) {
  const std::string leaving = directory + "/" + kLeaving;
  const std::string place = leaving + std::string(kServedPlace).substr(std::string_view(kOuter).size());
  const auto take_down = [&]() -> Result<void> {
    // A mount whose process has died is as good to take down as any other. EINVAL: nothing is mounted there.
    while (::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
    if (errno != EINVAL && errno != ENOENT) return fail_errno("unmount {}", place);
    return sys::remove_tree(leaving);
  };
  TRY(take_down());  // what a crash left
  const std::string outer = directory + "/" + kOuter;
  if (::rename(outer.c_str(), leaving.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("rename {}", outer);
  }
  return take_down();
}

}  // namespace skiff::snapshot
