#include "archive/diff.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <optional>

#include "archive/buffer.h"
#include "archive/piece_buffer.h"
#include "archive/tree.h"
#include "base/strings.h"
#include "sys/file.h"

namespace skiff::archive {

namespace {

constexpr std::size_t kReadSize = 256 << 10;

/// Whether a directory shows the kernel and no files: copies of a running container are to end at its /proc
/// and /sys, as they do where those are not mounted.
bool is_kernels_view(const sys::Fd& dir) {
  struct statfs info {};
  if (::fstatfs(dir.get(), &info) != 0) return false;
  switch (info.f_type) {
    case PROC_SUPER_MAGIC:
    case SYSFS_MAGIC:
    case CGROUP_SUPER_MAGIC:
    case CGROUP2_SUPER_MAGIC:
    case DEVPTS_SUPER_MAGIC:
    case DEBUGFS_MAGIC:
    case TRACEFS_MAGIC:
    case BPF_FS_MAGIC:
    case SECURITYFS_MAGIC:
      return true;
    default:
      return false;
  }
}

/// Walks a tree in sorted order and writes what it finds.
class Walker {
 public:
  Walker(TarWriter& tar, bool whiteouts, const std::set<std::string>* omit = nullptr)
      : tar_(tar), whiteouts_(whiteouts), omit_(omit), buffer_(kReadSize) {}

  /// The entries of `dir`; `prefix` is "" or ends with "/".
  Result<void> entries(const sys::Fd& dir, const std::string& prefix) {
    for (const auto& name : TRY(entries_of(dir)))
      if (!omit_ || !omit_->contains("/" + prefix + name))
        TRY_CONTEXT(entry(dir, name, prefix + name), "{}", quote(prefix + name));
    return {};
  }

  Result<void> entry(const sys::Fd& dir, const std::string& name, const std::string& path);
  Result<void> directory(const sys::Fd& dir, const struct stat& status, const std::string& path);
  std::uint64_t bytes() const { return bytes_; }

 private:
  static Entry describe(const struct stat& status, const std::string& path);
  Result<void> regular(const sys::Fd& dir, const std::string& name, Entry entry);
  Result<void> whiteout(const std::string& path);

  TarWriter& tar_;
  const bool whiteouts_;
  const std::set<std::string>* omit_;
  Buffer buffer_;
  std::map<std::pair<dev_t, ino_t>, std::string> links_;  ///< first name of each file that has several
  std::uint64_t bytes_ = 0;
};

Entry Walker::describe(const struct stat& status, const std::string& path) {
  Entry entry;
  entry.path = path;
  entry.mode = status.st_mode & 07777;
  entry.uid = status.st_uid;
  entry.gid = status.st_gid;
  entry.mtime = status.st_mtim;
  return entry;
}

Result<void> Walker::whiteout(const std::string& path) {
  Entry entry;
  const auto slash = path.rfind('/');
  const std::size_t at = slash == std::string::npos ? 0 : slash + 1;
  entry.path = path.substr(0, at) + ".wh." + path.substr(at);
  return tar_.header(entry);
}

Result<void> Walker::directory(const sys::Fd& dir, const struct stat& status, const std::string& path) {
  Entry described = describe(status, path);
  described.type = Entry::Type::Directory;
  described.xattrs = TRY(read_xattrs(dir));
  TRY(tar_.header(described));
  if (whiteouts_ && is_opaque(dir)) {
    Entry opaque;
    opaque.path = path + "/.wh..wh..opq";
    TRY(tar_.header(opaque));
  }
  return {};
}

Result<void> Walker::entry(const sys::Fd& dir, const std::string& name, const std::string& path) {
  struct stat status {};
  if (::fstatat(dir.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};  // went away while we looked, in a running container
    return fail_errno("stat");
  }
  if (S_ISSOCK(status.st_mode)) return {};
  if (S_ISDIR(status.st_mode)) {
    const sys::Fd inner = TRY(open_entry(dir, name, O_RDONLY | O_DIRECTORY));
    TRY(directory(inner, status, path));
    if (!whiteouts_ && is_kernels_view(inner)) return {};
    return entries(inner, path.ends_with('/') ? path : path + "/");
  }
  if (whiteouts_ && is_whiteout(status)) return whiteout(path);
  Entry described = describe(status, path);
  if (status.st_nlink > 1) {
    const auto [first, is_new] = links_.try_emplace({status.st_dev, status.st_ino}, path);
    if (!is_new) {
      described.type = Entry::Type::HardLink;
      described.link = first->second;
      return tar_.header(described);
    }
  }
  switch (status.st_mode & S_IFMT) {
    case S_IFREG:
      described.size = static_cast<std::uint64_t>(status.st_size);
      return regular(dir, name, std::move(described));
    case S_IFLNK:
      described.type = Entry::Type::Symlink;
      described.link = TRY(link_target(dir, name));
      return tar_.header(described);
    case S_IFIFO:
      described.type = Entry::Type::Fifo;
      return tar_.header(described);
    default:
      described.type = S_ISCHR(status.st_mode) ? Entry::Type::CharacterDevice : Entry::Type::BlockDevice;
      described.major = major(status.st_rdev);
      described.minor = minor(status.st_rdev);
      return tar_.header(described);
  }
}

Result<void> Walker::regular(const sys::Fd& dir, const std::string& name, Entry entry) {
  // O_NONBLOCK: should a fifo have taken the file's place, opening it must not wait.
  const sys::Fd file = TRY(open_entry(dir, name, O_RDONLY | O_NONBLOCK));
  entry.xattrs = TRY(read_xattrs(file));
  bytes_ += entry.size;
  std::uint64_t left = entry.size;
  TRY(tar_.header(entry));
  while (left > 0) {
    const std::size_t count =
        TRY(sys::read_some(file, buffer_.data(), std::min<std::uint64_t>(left, buffer_.size())));
    if (count == 0) break;
    TRY(tar_.data({buffer_.data(), count}));
    left -= count;
  }
  return tar_.fill();
}

}  // namespace

Result<Diff> diff(const sys::Fd& layer, const Sink& sink, const std::set<std::string>& omit) {
  PieceBuffer out(sink);
  TarWriter tar([&](std::string_view bytes) { return out.put(bytes); });
  Walker walker(tar, true, omit.empty() ? nullptr : &omit);
  struct stat status {};
  if (::fstat(layer.get(), &status) != 0) return fail_errno("stat layer");
  // The root folder is part of a layer only when it differs from what every fresh layer has.
  if ((status.st_mode & 07777) != 0755 || status.st_uid != 0 || status.st_gid != 0) {
    status.st_mtim = {};
    TRY(walker.directory(layer, status, "."));
  }
  TRY(walker.entries(layer, ""));
  TRY(tar.finish());
  TRY(out.flush());
  Diff result;
  result.diff_id = out.digest();
  result.bytes = walker.bytes();
  result.tar_bytes = out.total();
  return result;
}

Result<void> write_tree(TarWriter& tar, const sys::Fd& dir, const std::string& name, const std::string& as) {
  Walker walker(tar, false);
  return walker.entry(dir, name, as);
}

Result<void> write_entries(TarWriter& tar, const sys::Fd& dir) {
  Walker walker(tar, false);
  return walker.entries(dir, "");
}

}  // namespace skiff::archive
