#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "runtime/child.h"
#include "sys/syscalls.h"

namespace skiff::runtime::child {
namespace {

constexpr int kMaxLinks = 40;

/// Replaces the link at path[0, end) by its target: "/var/run/x" with var/run -> /run becomes "/run/x". False
/// with errno.
bool follow_dangling(int parent, const char* name, PathBuffer& path, std::size_t start, std::size_t end,
                     char separator) {
  char target[4096];
  const ssize_t size = ::readlinkat(parent, name, target, sizeof target - 1);
  if (size < 0) return false;
  path.text[end] = separator;
  target[size] = '\0';
  PathBuffer joined;
  const char* rest = path.text + end;
  if (target[0] == '/') {
    if (!joined.set(target, rest)) return false;
  } else {
    char head[4096];
    std::memcpy(head, path.text, start);
    head[start] = '\0';
    if (!joined.set(head, target, rest)) return false;
  }
  return path.set(joined.text);
}

/// Makes what is missing at path[start, end) inside `parent`. False with errno.
bool make_component(int parent, const char* name, bool directory) {
  if (directory) return ::mkdirat(parent, name, 0755) == 0;
  const int fd = ::openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd >= 0) ::close(fd);
  return fd >= 0;
}

}  // namespace

int open_inside(int root, const char* path, std::uint64_t flags, std::uint64_t resolve) {
  return sys::raw::openat2(root, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve);
}

int make_inside(int root, const char* path, bool directory) {
  int fd = open_inside(root, path, O_PATH);
  if (fd >= 0 || errno != ENOENT) return fd;
  PathBuffer rest;
  if (!rest.set(path)) return -1;
  // Nearly always only the last component is missing.
  if (char* slash = std::strrchr(rest.text, '/'); slash && slash != rest.text && slash[1] != '\0') {
    *slash = '\0';
    const int above = open_inside(root, rest.text, O_PATH | O_DIRECTORY);
    const bool made = above >= 0 && make_component(above, slash + 1, directory);
    if (above >= 0) ::close(above);
    *slash = '/';
    if (made) return open_inside(root, path, O_PATH);
  }
  int links = 0;
  std::size_t position = 0;
  int parent = open_inside(root, "/", O_PATH | O_DIRECTORY);
  // Every prefix is resolved from the root again: links on the way count as the kernel sees them, and a
  // hostile change meanwhile can lead to another place inside the root, never out of it.
  while (parent >= 0) {
    while (rest.text[position] == '/') ++position;
    if (rest.text[position] == '\0') return parent;
    std::size_t end = position;
    while (rest.text[end] != '\0' && rest.text[end] != '/') ++end;
    std::size_t after = end;
    while (rest.text[after] == '/') ++after;
    const bool last = rest.text[after] == '\0';
    const char separator = rest.text[end];
    rest.text[end] = '\0';
    fd = open_inside(root, rest.text, O_PATH);
    if (fd < 0 && errno == ENOENT) {
      const char* name = rest.text + position;
      if (make_component(parent, name, directory || !last)) {
        fd = open_inside(root, rest.text, O_PATH);
      } else if (errno == EEXIST && ++links <= kMaxLinks) {
        const bool followed = follow_dangling(parent, name, rest, position, end, separator);
        ::close(parent);
        if (!followed) return -1;
        position = 0;
        parent = open_inside(root, "/", O_PATH | O_DIRECTORY);
        continue;
      }
    }
    rest.text[end] = separator;
    const int saved = errno;
    ::close(parent);
    errno = saved;
    parent = fd;
    position = end;
  }
  return -1;
}

}  // namespace skiff::runtime::child
