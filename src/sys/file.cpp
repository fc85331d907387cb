#include "sys/file.h"

#include <dirent.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>

#include "base/ids.h"
#include "base/undo.h"

namespace skiff::sys {
namespace {

/// Most files read whole are small ones of the kernel's: they pass through the stack, without memory of their
/// size.
constexpr std::size_t kFirstRead = 4 << 10;
constexpr std::size_t kReadChunk = 64 << 10;

std::string parent_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

struct DirCloser {
  void operator()(DIR* dir) const { closedir(dir); }
};
using Dir = std::unique_ptr<DIR, DirCloser>;

/// A DIR over its own copy of `fd`; none on failure, errno set.
Dir open_dir_stream(const Fd& fd) {
  const int copy = openat(fd.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return nullptr;
  Dir dir(fdopendir(copy));
  if (!dir) ::close(copy);
  return dir;
}

bool is_dot(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

Result<std::vector<std::string>> names_in(const Fd& fd, std::string_view path) {
  const Dir dir = open_dir_stream(fd);
  if (!dir) return fail_errno("read directory {}", path);
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = readdir(dir.get()); errno = 0)
    if (!is_dot(entry->d_name)) names.emplace_back(entry->d_name);
  if (errno != 0) return fail_errno("read directory {}", path);
  std::sort(names.begin(), names.end());
  return names;
}

/// Removes what is in `dir`; `device` keeps it from walking into mounts.
Result<void> remove_contents(const Fd& dir, const std::string& path, dev_t device) {
  for (const auto& name : TRY(names_in(dir, path))) {
    const std::string child_path = path + "/" + name;
    if (unlinkat(dir.get(), name.c_str(), 0) == 0 || errno == ENOENT) continue;
    if (errno != EISDIR && errno != EPERM) return fail_errno("remove {}", child_path);
    const auto opened = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!opened) return opened.error().with_context("remove " + child_path);
    struct stat status {};
    if (fstat(opened->get(), &status) != 0) return fail_errno("stat {}", child_path);
    if (status.st_dev != device)
      return fail(Kind::Conflict, "remove {}: something is mounted there", child_path);
    TRY(remove_contents(*opened, child_path, device));
    if (unlinkat(dir.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT)
      return fail_errno("remove {}", child_path);
  }
  return {};
}

Result<void> write_beside(const std::string& path, std::string_view bytes, mode_t mode, bool durable) {
  const std::string temporary = path + ".tmp-" + random_hex(6);
  UndoStack undo;
  {
    const Fd fd = TRY(open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, mode));
    undo.add([&] { ::unlink(temporary.c_str()); });
    TRY_CONTEXT(write_all(fd, bytes), "{}", temporary);
    if (durable && fsync(fd.get()) != 0) return fail_errno("fsync {}", temporary);
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail_errno("rename {} to {}", temporary, path);
  undo.dismiss();
  if (durable) TRY(sync_directory(parent_of(path)));
  return {};
}

Result<std::uint64_t> usage_of(const Fd& dir, const std::string& path,
                               std::set<std::pair<dev_t, ino_t>>& seen) {
  std::uint64_t bytes = 0;
  for (const auto& name : TRY(names_in(dir, path))) {
    struct stat status {};
    if (fstatat(dir.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return fail_errno("stat {}/{}", path, name);
    }
    if (!S_ISDIR(status.st_mode)) {
      if (status.st_nlink == 1 || seen.emplace(status.st_dev, status.st_ino).second)
        bytes += static_cast<std::uint64_t>(status.st_size);
      continue;
    }
    const auto child = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!child) {
      if (child.error().kind() == Kind::NotFound) continue;
      return child.error();
    }
    bytes += TRY(usage_of(*child, path + "/" + name, seen));
  }
  return bytes;
}

}  // namespace

Result<Fd> open_file(const std::string& path, int flags, mode_t mode) {
  Fd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) return fail_errno("open {}", path);
  return fd;
}

Result<Fd> open_at(const Fd& dir, const std::string& path, int flags, mode_t mode) {
  Fd fd(::openat(dir.get(), path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) return fail_errno("open {}", path);
  return fd;
}

Result<Fd> open_directory(const std::string& path) { return open_file(path, O_RDONLY | O_DIRECTORY); }

Result<Fd> duplicate(const Fd& fd) {
  Fd copy(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail_errno("duplicate descriptor {}", fd.get());
  return copy;
}

Result<std::size_t> read_some(const Fd& fd, void* buffer, std::size_t size) {
  for (;;) {
    const ssize_t count = ::read(fd.get(), buffer, size);
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) return fail_errno("read");
  }
}

Result<std::string> read_all(const Fd& fd, std::size_t limit) {
  char first[kFirstRead];
  std::string bytes;
  for (;;) {
    std::size_t count = 0;
    if (bytes.size() < kFirstRead) {
      count = TRY(read_some(fd, first, sizeof first));
      bytes.append(first, count);
    } else {
      // Not cleared first: of memory that is not touched nothing has to be there.
      const std::size_t old_size = bytes.size();
      Result<std::size_t> got = std::size_t{0};
      bytes.resize_and_overwrite(old_size + kReadChunk, [&](char* begin, std::size_t) {
        got = read_some(fd, begin + old_size, kReadChunk);
        return old_size + (got.ok() ? *got : 0);
      });
      count = TRY(std::move(got));
    }
    if (count == 0) return bytes;
    if (bytes.size() > limit) return fail(Kind::Exhausted, "more than {} bytes", limit);
  }
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  const Fd fd = TRY(open_file(path, O_RDONLY));
  return TRY_CONTEXT(read_all(fd, limit), "{}", path);
}

Result<void> write_all(const Fd& fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd.get(), bytes.data(), bytes.size());
    if (count >= 0)
      bytes.remove_prefix(static_cast<std::size_t>(count));
    else if (errno != EINTR)
      return fail_errno("write");
  }
  return {};
}

Result<void> write_existing(const std::string& path, std::string_view bytes) {
  const Fd fd = TRY(open_file(path, O_WRONLY));
  const ssize_t count = ::write(fd.get(), bytes.data(), bytes.size());
  if (count < 0) return fail_errno("write to {}", path);
  if (static_cast<std::size_t>(count) != bytes.size()) return fail(Kind::Internal, "short write to {}", path);
  return {};
}

Result<void> write_file_atomic(const std::string& path, std::string_view bytes, mode_t mode) {
  return write_beside(path, bytes, mode, true);
}

Result<void> replace_file(const std::string& path, std::string_view bytes, mode_t mode) {
  return write_beside(path, bytes, mode, false);
}

Result<void> sync_directory(const std::string& path) {
  const Fd dir = TRY(open_directory(path));
  if (fsync(dir.get()) != 0) return fail_errno("fsync {}", path);
  return {};
}

Result<void> make_directories(const std::string& path, mode_t mode) {
  if (::mkdir(path.c_str(), mode) == 0 || errno == EEXIST) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode))
      return fail(Kind::Conflict, "mkdir {}: not a directory", path);
    return {};
  }
  if (errno != ENOENT) return fail_errno("mkdir {}", path);
  const std::string parent = parent_of(path);
  if (parent == path || parent == "." || parent == "/") return fail_errno("mkdir {}", path);
  TRY(make_directories(parent, mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) return fail_errno("mkdir {}", path);
  return {};
}

void spread_folders(const std::string& path) {
  const auto folder = open_directory(path);
  int flags = 0;
  if (!folder.ok() || ::ioctl(folder->get(), FS_IOC_GETFLAGS, &flags) != 0) return;
  flags |= FS_TOPDIR_FL;
  (void)::ioctl(folder->get(), FS_IOC_SETFLAGS, &flags);
}

Result<void> remove_tree(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return fail_errno("remove {}", path);
  {
    const auto dir = open_file(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!dir) return dir.error().with_context("remove");
    struct stat status {};
    if (fstat(dir->get(), &status) != 0) return fail_errno("stat {}", path);
    TRY(remove_contents(*dir, path, status.st_dev));
  }
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove {}", path);
  return {};
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  return names_in(TRY(open_directory(path)), path);
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<std::uint64_t> disk_usage(const std::string& path) {
  std::set<std::pair<dev_t, ino_t>> seen;
  return usage_of(TRY(open_directory(path)), path, seen);
}

}  // namespace skiff::sys
