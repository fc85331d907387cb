#include <dirent.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>

#include "runtime/child.h"
#include "sys/syscalls.h"

/// "tmpcopyup": a tmpfs over a directory of the image starts with that directory's files. No memory is
/// allocated, so directories are walked by descriptors, and as deep as the stack allows.
namespace skiff::runtime::child {
namespace {

constexpr int kMaxDepth = 64;
char content[64 << 10];  // static: one file is copied at a time

/// Owner, mode and times of `to` as `info` says; 0 or an errno. The owner first: chown takes set-id bits
/// away.
int copy_attributes(int to, const struct stat& info) {
  if (::fchown(to, info.st_uid, info.st_gid) != 0) return errno;
  if (::fchmod(to, info.st_mode & 07777) != 0) return errno;
  const timespec times[2] = {info.st_atim, info.st_mtim};
  return ::futimens(to, times) == 0 ? 0 : errno;
}

/// Extended attributes that a tmpfs takes (capabilities of files); others are passed over.
void copy_xattrs(int from, int to) {
  char names[4096];
  char value[4096];
  const ssize_t size = ::flistxattr(from, names, sizeof names);
  for (const char* name = names; size > 0 && name < names + size; name += std::strlen(name) + 1) {
    const ssize_t length = ::fgetxattr(from, name, value, sizeof value);
    if (length >= 0) (void)::fsetxattr(to, name, value, static_cast<std::size_t>(length), 0);
  }
}

int copy_content(int from, int to) {
  for (;;) {
    const ssize_t size = ::read(from, content, sizeof content);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return size == 0 ? 0 : errno;
    for (ssize_t done = 0; done < size;) {
      const ssize_t written = ::write(to, content + done, static_cast<std::size_t>(size - done));
      if (written < 0 && errno != EINTR) return errno;
      if (written > 0) done += written;
    }
  }
}

int copy_file(int from_dir, int to_dir, const char* name, const struct stat& info) {
  const int from = ::openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (from < 0) return errno;
  const int to = ::openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  int code = to < 0 ? errno : copy_content(from, to);
  if (code == 0) code = copy_attributes(to, info);
  if (code == 0) copy_xattrs(from, to);
  ::close(from);
  if (to >= 0) ::close(to);
  return code;
}

int copy_link(int from_dir, int to_dir, const char* name, const struct stat& info) {
  char target[4096];
  const ssize_t size = ::readlinkat(from_dir, name, target, sizeof target - 1);
  if (size < 0) return errno;
  target[size] = '\0';
  if (::symlinkat(target, to_dir, name) != 0) return errno;
  return ::fchownat(to_dir, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

int copy_node(int to_dir, const char* name, const struct stat& info) {
  if (::mknodat(to_dir, name, info.st_mode, info.st_rdev) != 0) return errno;
  return ::fchownat(to_dir, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : errno;
}

int copy_tree(int from, int to, int depth);

int copy_entry(int from, int to, const char* name, int depth) {
  struct stat info = {};
  if (::fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return errno;
  if (S_ISREG(info.st_mode)) return copy_file(from, to, name, info);
  if (S_ISLNK(info.st_mode)) return copy_link(from, to, name, info);
  if (!S_ISDIR(info.st_mode)) return copy_node(to, name, info);
  if (depth >= kMaxDepth) return ELOOP;
  if (::mkdirat(to, name, 0700) != 0) return errno;
  const int below = ::openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  const int made = ::openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int code = below < 0 || made < 0 ? errno : copy_tree(below, made, depth + 1);
  if (code == 0) code = copy_attributes(made, info);
  if (below >= 0) ::close(below);
  if (made >= 0) ::close(made);
  return code;
}

int copy_tree(int from, int to, int depth) {
  alignas(dirent64) char entries[2048];
  for (;;) {
    const long size = ::syscall(SYS_getdents64, from, entries, sizeof entries);
    if (size <= 0) return size == 0 ? 0 : errno;
    for (long at = 0; at < size;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
      at += entry->d_reclen;
      if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
      if (const int code = copy_entry(from, to, entry->d_name, depth)) return code;
    }
  }
}

}  // namespace

void copy_up(const Context& context, const char* name, int from, int to) {
  const int source = sys::raw::openat2(from, ".", O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_XDEV);
  const int target = ::openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct stat info = {};
  if (source < 0 || target < 0 || ::fstat(source, &info) != 0) fail(context, Step::CopyUp, errno, name);
  int code = copy_tree(source, target, 0);
  // The option "mode" speaks of a tmpfs without a history.
  if (code == 0) code = copy_attributes(target, info);
  if (code != 0) fail(context, Step::CopyUp, code, name);
  ::close(source);
  ::close(target);
}

}  // namespace skiff::runtime::child
