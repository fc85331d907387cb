#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

/// Small operations on trees that may be hostile: everything is relative to a directory descriptor and a
/// plain name (no slash), and never follows a link.
namespace skiff::archive {

using XAttrs = std::vector<std::pair<std::string, std::string>>;

/// How paths that lead out of the tree are met.
enum class Escape : std::uint8_t {
  Confine,  ///< links and ".." are resolved as by a process whose root is the tree
  Refuse,   ///< a link or ".." that leads out is an error (openat2(2), RESOLVE_BENEATH)
};

/// Opens the directory `path` below `root` with O_RDONLY; links on the way count as `escape` says.
Result<sys::Fd> open_directory_below(const sys::Fd& root, std::string_view path, Escape escape);
/// As above, making what is missing as root with mode 0755; with Confine also where links lead.
Result<sys::Fd> make_directories_below(const sys::Fd& root, std::string_view path, Escape escape);

/// Opens an entry of `dir` without following it.
Result<sys::Fd> open_entry(const sys::Fd& dir, const std::string& name, int flags);
/// Opens a file whose path below `root` has no links on the way; NotFound and others of open(2) else.
Result<sys::Fd> open_plain(const sys::Fd& root, const std::string& path, int flags);
/// Told of an entry that is no directory, before it is removed.
using Removing = std::function<Result<void>(const sys::Fd& dir, const std::string& name)>;
/// Removes an entry and what is below it; a missing one is fine.
Result<void> remove_entry(const sys::Fd& dir, const std::string& name, const Removing& removing = {});
/// Names in a directory without "." and "..", sorted bytewise. The descriptor's own position is left alone.
Result<std::vector<std::string>> entries_of(const sys::Fd& dir);
Result<std::string> link_target(const sys::Fd& dir, const std::string& name);

/// All extended attributes of an open file, sorted by name, without those that overlayfs keeps for itself.
Result<XAttrs> read_xattrs(const sys::Fd& file);
/// Sets them; those that the file system does not know and that we may not set are left out, as Docker does
/// it. trusted.overlay.* is never set: with it a layer could show files of the host's choosing.
Result<void> write_xattrs(const sys::Fd& file, const XAttrs& xattrs);

/// overlayfs' sign that a directory hides the ones below it (Documentation/filesystems/overlayfs.rst).
bool is_opaque(const sys::Fd& dir);
Result<void> set_opaque(const sys::Fd& dir);
/// overlayfs' sign that a name is deleted: a character device 0/0.
bool is_whiteout(const struct stat& status);

/// Copies `size` bytes from the start of one open file to the start of another: by reference where the file
/// system can, within the kernel where possible, else in large pieces.
Result<void> copy_bytes(const sys::Fd& from, const sys::Fd& to, std::uint64_t size);

}  // namespace skiff::archive
