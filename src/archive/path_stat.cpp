#include "archive/path_stat.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>

#include "archive/diff.h"
#include "archive/piece_buffer.h"
#include "archive/tree.h"
#include "base/strings.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::archive {

namespace {

/// As many links as the kernel follows (path_resolution(7)).
constexpr int kLinkLimit = 40;

bool names_directory(std::string_view path) {
  return path.empty() || path == "." || path.ends_with('/') || path.ends_with("/.");
}

/// The path without links that `path` leads to; what does not exist stays as it is written.
std::string follow(const sys::Fd& root, const std::string& path) {
  std::vector<std::string> todo = split(path, '/');
  std::reverse(todo.begin(), todo.end());
  std::string done;
  int links = 0;
  while (!todo.empty()) {
    const std::string part = std::move(todo.back());
    todo.pop_back();
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      done = done.substr(0, done.rfind('/') == std::string::npos ? 0 : done.rfind('/'));
      continue;
    }
    auto directory = open_directory_below(root, done.empty() ? "." : done.substr(1), Escape::Confine);
    auto target = directory ? link_target(*directory, part) : Result<std::string>(directory.error());
    if (!target || ++links > kLinkLimit) {
      done += "/" + part;
      continue;
    }
    if (target->starts_with('/')) done.clear();
    auto parts = split(*target, '/');
    todo.insert(todo.end(), std::make_move_iterator(parts.rbegin()), std::make_move_iterator(parts.rend()));
  }
  return done.empty() ? "/" : done;
}

/// Small pieces of a tar go out as large ones.
Result<void> write_tar(const sys::Fd& out, const std::function<Result<void>(TarWriter& tar)>& write) {
  const Sink sink = [&](std::string_view bytes) { return sys::write_all(out, bytes); };
  PieceBuffer pieces(sink, PieceBuffer::Digest::No);
  TarWriter tar([&](std::string_view bytes) { return pieces.put(bytes); });
  TRY(write(tar));
  TRY(tar.finish());
  return pieces.flush();
}

}  // namespace

Result<Located> locate(const sys::Fd& root, const std::string& path) {
  const std::string clean = sys::clean_path("/" + path);
  Located located;
  if (names_directory(path) || clean == "/") {
    located.directory = TRY(open_directory_below(root, clean, Escape::Confine));
    located.name = ".";
    located.shown = path.ends_with("/.") || path == "." ? "." : std::string(sys::base_name(clean));
    if (located.shown.empty()) located.shown = "/";
    return located;
  }
  located.directory = TRY(open_directory_below(root, sys::dir_name(clean), Escape::Confine));
  located.name = std::string(sys::base_name(clean));
  located.shown = located.name;
  return located;
}

Result<spec::docker::PathStat> path_stat(const sys::Fd& root, const std::string& path) {
  const Located located = TRY(locate(root, path));
  struct stat status {};
  if (::fstatat(located.directory.get(), located.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("stat {}", quote(path));
  spec::docker::PathStat stat;
  stat.name = located.shown;
  stat.size = status.st_size;
  stat.mode = spec::docker::go_file_mode(status.st_mode);
  stat.mtime =
      Time(std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec));
  if (S_ISLNK(status.st_mode)) stat.link_target = follow(root, sys::clean_path("/" + path));
  return stat;
}

Result<void> export_path(const sys::Fd& root, const std::string& path, const sys::Fd& out) {
  const Located located = TRY(locate(root, path));
  struct stat status {};
  if (::fstatat(located.directory.get(), located.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("stat {}", quote(path));
  return write_tar(
      out, [&](TarWriter& tar) { return write_tree(tar, located.directory, located.name, located.shown); });
}

Result<void> export_entries(const sys::Fd& root, const std::string& path, const sys::Fd& out) {
  const sys::Fd directory = TRY(open_directory_below(root, path, Escape::Confine));
  return write_tar(out, [&](TarWriter& tar) { return write_entries(tar, directory); });
}

}  // namespace skiff::archive
