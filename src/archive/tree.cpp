#include "archive/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::archive {

namespace {

constexpr const char* kOpaque = "trusted.overlay.opaque";
constexpr std::size_t kCopyBuffer = 1 << 20;
/// EAGAIN of openat2: a rename raced with "..".
constexpr int kRaceAttempts = 32;
/// As many as the kernel follows (path_resolution(7)).
constexpr int kMostLinks = 40;

bool belongs_to_overlay(std::string_view name) {
  return name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.");
}

Result<sys::Fd> open_below(const sys::Fd& root, const std::string& path, Escape escape) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = (escape == Escape::Confine ? RESOLVE_IN_ROOT : RESOLVE_BENEATH) | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0;; ++attempt) {
    sys::Fd fd(static_cast<int>(syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
    if (fd) return fd;
    if (errno == EXDEV) return fail(Kind::Forbidden, "{} leads out of the tree", quote(path));
    if (errno != EAGAIN || attempt >= kRaceAttempts) return fail_errno("open {}", quote(path));
  }
}

}  // namespace

Result<sys::Fd> open_directory_below(const sys::Fd& root, std::string_view path, Escape escape) {
  return open_below(root, path.empty() ? "." : std::string(path), escape);
}

namespace {

/// Links that have been followed to what was not there yet: `links`.
Result<sys::Fd> make_below(const sys::Fd& root, std::string_view path, Escape escape, int links) {
  auto there = open_directory_below(root, path, escape);
  if (there || there.error().kind() != Kind::NotFound) return there;
  // Resolved anew from the root at each step, so that links on the way mean what they mean to the kernel.
  std::string prefix;
  sys::Fd current = TRY(open_below(root, ".", escape));
  for (const auto& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    const std::string above = prefix;
    prefix += (prefix.empty() ? "" : "/") + part;
    if (::mkdirat(current.get(), part.c_str(), 0755) != 0 && errno != EEXIST)
      return fail_errno("mkdir {}", quote(prefix));
    auto next = open_below(root, prefix, escape);
    if (!next && next.error().kind() == Kind::NotFound && escape == Escape::Confine) {
      // A link to what only a layer below has, or nobody.
      if (links >= kMostLinks) return Error::from_errno(fmt::format("open {}", quote(prefix)), ELOOP);
      const std::string target = TRY(link_target(current, part));
      next = make_below(root, target.starts_with('/') ? target : above + "/" + target, escape, links + 1);
    }
    current = TRY(std::move(next));
  }
  return current;
}

}  // namespace

Result<sys::Fd> make_directories_below(const sys::Fd& root, std::string_view path, Escape escape) {
  return make_below(root, path, escape, 0);
}

Result<sys::Fd> open_entry(const sys::Fd& dir, const std::string& name, int flags) {
  sys::Fd fd(::openat(dir.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return fail_errno("open {}", quote(name));
  return fd;
}

Result<sys::Fd> open_plain(const sys::Fd& root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_NOFOLLOW | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  sys::Fd fd(static_cast<int>(syscall(SYS_openat2, root.get(), path.c_str(), &how, sizeof how)));
  if (!fd) return fail_errno("open {}", quote(path));
  return fd;
}

Result<void> remove_entry(const sys::Fd& dir, const std::string& name, const Removing& removing) {
  if (removing) TRY(removing(dir, name));
  if (::unlinkat(dir.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno("remove {}", quote(name));
  {
    const sys::Fd inner = TRY(open_entry(dir, name, O_RDONLY | O_DIRECTORY));
    for (const auto& below : TRY(entries_of(inner))) TRY(remove_entry(inner, below, removing));
  }
  if (::unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
    return fail_errno("remove {}", quote(name));
  return {};
}

Result<std::vector<std::string>> entries_of(const sys::Fd& dir) {
  const int copy = ::openat(dir.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return fail_errno("open directory");
  DIR* stream = ::fdopendir(copy);
  if (!stream) {
    ::close(copy);
    return fail_errno("read directory");
  }
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int code = errno;
  ::closedir(stream);
  if (code != 0) return Error::from_errno("read directory", code);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> link_target(const sys::Fd& dir, const std::string& name) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size = ::readlinkat(dir.get(), name.c_str(), target.data(), target.size());
  if (size < 0) return fail_errno("readlink {}", quote(name));
  target.resize(static_cast<std::size_t>(size));
  return target;
}

Result<XAttrs> read_xattrs(const sys::Fd& file) {
  XAttrs xattrs;
  char small[1024];
  std::string large;
  const char* names = small;
  ssize_t size = ::flistxattr(file.get(), small, sizeof small);
  if (size < 0 && errno == ERANGE) {
    large.resize(XATTR_LIST_MAX);
    size = ::flistxattr(file.get(), large.data(), large.size());
    names = large.data();
  }
  if (size < 0) {
    if (errno == ENOTSUP) return xattrs;
    return fail_errno("listxattr");
  }
  for (const char* at = names; at < names + size; at += std::string_view(at).size() + 1) {
    const std::string name = at;
    if (belongs_to_overlay(name)) continue;
    std::string value(XATTR_SIZE_MAX, '\0');
    const ssize_t length = ::fgetxattr(file.get(), name.c_str(), value.data(), value.size());
    if (length < 0) {
      if (errno == ENODATA || errno == ENOTSUP) continue;
      return fail_errno("getxattr {}", name);
    }
    value.resize(static_cast<std::size_t>(length));
    xattrs.emplace_back(name, std::move(value));
  }
  std::sort(xattrs.begin(), xattrs.end());
  return xattrs;
}

namespace {

bool has_room(const sys::Fd& file) {
  struct statvfs status {};
  return ::fstatvfs(file.get(), &status) == 0 && status.f_bavail > 0 &&
         (status.f_files == 0 || status.f_favail > 0);
}

}  // namespace

Result<void> write_xattrs(const sys::Fd& file, const XAttrs& xattrs) {
  for (const auto& [name, value] : xattrs) {
    if (belongs_to_overlay(name)) continue;
    if (::fsetxattr(file.get(), name.c_str(), value.data(), value.size(), 0) == 0) continue;
    if (errno == EOPNOTSUPP || errno == EPERM) continue;
    // ext4 says so of what does not fit beside the inode, too.
    if (errno == ENOSPC && has_room(file)) errno = E2BIG;
    return fail_errno("extended attribute {} of {} bytes", quote(name), value.size());
  }
  return {};
}

bool is_opaque(const sys::Fd& dir) {
  char value = '\0';
  return ::fgetxattr(dir.get(), kOpaque, &value, 1) == 1 && value == 'y';
}

Result<void> set_opaque(const sys::Fd& dir) {
  if (::fsetxattr(dir.get(), kOpaque, "y", 1, 0) != 0) return fail_errno("setxattr {}", kOpaque);
  return {};
}

bool is_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
}

Result<void> copy_bytes(const sys::Fd& from, const sys::Fd& to, std::uint64_t size) {
  if (size == 0) return {};
  if (size >= 64 << 10 && ::ioctl(to.get(), FICLONE, from.get()) == 0) return {};
  std::uint64_t done = 0;
  while (done < size) {
    const ssize_t count = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, size - done, 0);
    if (count < 0 && errno == EINTR) continue;
    // Different file systems, or an overlay in between.
    if (count < 0 && done == 0 &&
        (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS))
      break;
    if (count < 0) return fail_errno("copy");
    if (count == 0) return {};
    done += static_cast<std::uint64_t>(count);
  }
  if (done >= size) return {};
  std::string buffer(std::min<std::uint64_t>(size, kCopyBuffer), '\0');
  for (;;) {
    const std::size_t count = TRY(sys::read_some(from, buffer.data(), buffer.size()));
    if (count == 0) return {};
    TRY(sys::write_all(to, {buffer.data(), count}));
  }
}

}  // namespace skiff::archive
