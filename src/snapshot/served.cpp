#include "snapshot/served.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstdio>

#include "snapshot/store.h"
#include "sys/file.h"

namespace skiff::snapshot {
namespace {

// A folder in which something is mounted can be renamed, other than the one on which it is.
constexpr const char* kShown = "/lazy";
constexpr const char* kComing = "/lazy-coming";
constexpr const char* kLeaving = "/lazy-leaving";

/// Removes a folder that nobody was told of, or no longer, with what is mounted in it.
Result<void> take_down(const std::string& outer) {
  const std::string place = outer + "/files";
  // A mount whose process has died is as good to take down as any other. EINVAL: nothing is mounted there.
  while (::umount2(place.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) continue;
  if (errno != EINVAL && errno != ENOENT) return fail_errno("unmount {}", place);
  return sys::remove_tree(outer);
}

}  // namespace

Result<void> make_served_place(const std::string& directory) {
  TRY(take_down(directory + kComing));  // what a start that failed left
  return sys::make_directories(directory + "/" + kComingPlace, 0700);
}

Result<void> show_served_place(const std::string& directory) {
  const std::string coming = directory + kComing;
  const std::string shown = directory + kShown;
  if (::renameat2(AT_FDCWD, coming.c_str(), AT_FDCWD, shown.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno != EEXIST) return fail_errno("rename {}", coming);
  if (::renameat2(AT_FDCWD, coming.c_str(), AT_FDCWD, shown.c_str(), RENAME_EXCHANGE) != 0)
    return fail_errno("exchange {} and {}", coming, shown);
  return take_down(coming);
}

Result<void> drop_coming_place(const std::string& directory) { return take_down(directory + kComing); }

Result<void> remove_served_place(const std::string& directory) {
  TRY(take_down(directory + kComing));
  TRY(take_down(directory + kLeaving));  // what a crash left
  const std::string shown = directory + kShown;
  const std::string leaving = directory + kLeaving;
  if (::rename(shown.c_str(), leaving.c_str()) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("rename {}", shown);
  }
  return take_down(leaving);
}

}  // namespace skiff::snapshot
