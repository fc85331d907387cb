#pragma once

#include <fcntl.h>

#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/fd.h"

/// Paths that an image, a container or a user chose. Nothing here ever leaves the root it was given:
/// links and ".." are resolved by the kernel inside it (openat2(2), RESOLVE_IN_ROOT), so a tree that is
/// changed by a hostile process meanwhile cannot lead out of it either.
namespace skiff::sys {

/// Opens `path` as seen by a process whose root is `root`. O_CLOEXEC is added.
Result<Fd> open_in_root(const Fd& root, std::string_view path, int flags, mode_t mode = 0);
/// As open_in_root with O_PATH | O_NOFOLLOW: the last component may itself be a link.
Result<Fd> open_link_in_root(const Fd& root, std::string_view path);
/// Makes every missing directory of `path` inside `root` and opens the last one with O_PATH. `uid` and `gid`
/// own those that were made.
Result<Fd> make_directories_in_root(const Fd& root, std::string_view path, mode_t mode = 0755, uid_t uid = 0,
                                    gid_t gid = 0);
/// "/proc/self/fd/N", to hand an O_PATH descriptor to calls that only know paths.
std::string fd_path(const Fd& fd);

/// Purely textual: removes "." and "//", resolves "..", never goes above "/": "/../b" -> "/b", "a/../../b" ->
/// "../b",
/// "" -> "." and "/.." -> "/" (Go's path.Clean, which Docker uses on every path from outside).
std::string clean_path(std::string_view path);
/// Where this process stands; "/" when that cannot be told.
std::string current_directory();
/// clean_path(base + "/" + path), or clean_path(path) when `path` is absolute.
std::string join_path(std::string_view base, std::string_view path);
std::string_view base_name(std::string_view path);
std::string_view dir_name(std::string_view path);

}  // namespace skiff::sys
