#include "build/ops/copy.h"

#include <algorithm>

#include "archive/apply.h"
#include "archive/tree.h"
#include "base/strings.h"
#include "build/ops/rootfs.h"
#include "build/ops/unpack.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::build {
namespace {

constexpr int kMostLinks = 40;  ///< as the kernel follows (path_resolution(7))

std::string joined(const std::string& directory, const std::string& name) {
  return directory.empty() || directory == "." ? name : directory + "/" + name;
}

Result<void> set_times(const sys::Fd& dir, const std::string& name, const struct stat& status) {
  const timespec times[2] = {{0, UTIME_OMIT}, status.st_mtim};
  if (utimensat(dir.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("set time of {}", name);
  return {};
}

/// What a container may bring along: its own attributes and file capabilities.
archive::XAttrs portable_xattrs(const sys::Fd& file) {
  archive::XAttrs kept;
  auto all = archive::read_xattrs(file);
  if (!all.ok()) return kept;
  for (auto& [name, value] : *all)
    if (name == "security.capability" || name.starts_with("user.")) kept.emplace_back(name, std::move(value));
  return kept;
}

}  // namespace

std::pair<uid_t, gid_t> Copier::owner_of(const struct stat& status) const {
  if (owner_) return *owner_;
  if (tree_.context) return {0, 0};
  return {status.st_uid, status.st_gid};
}

Result<sys::Fd> Copier::make_directories(const std::string& path) {
  const auto [uid, gid] = owner_.value_or(std::pair<uid_t, gid_t>(0, 0));
  TRY_CONTEXT(sys::make_directories_in_root(root_, path, operation_.mode.value_or(0755), uid, gid),
              "failed to copy files");
  return sys::open_in_root(root_, path, O_RDONLY | O_DIRECTORY);
}

bool Copier::destination_is_directory() const {
  return sys::open_in_root(root_, operation_.destination, O_PATH | O_DIRECTORY).ok();
}

Result<Copier::Target> Copier::target_of(const std::string& name, bool into_directory) {
  if (into_directory) return Target{TRY(make_directories(operation_.destination)), name};
  // A destination that is a link to a file (or to nothing) stands for what it points to.
  std::string path = sys::clean_path(operation_.destination);
  for (int i = 0; i < kMostLinks; ++i) {
    Target target{TRY(make_directories(std::string(sys::dir_name(path)))), std::string(sys::base_name(path))};
    struct stat status = {};
    if (fstatat(target.directory.get(), target.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISLNK(status.st_mode))
      return target;
    path = sys::join_path(sys::dir_name(path), TRY(archive::link_target(target.directory, target.name)));
  }
  return Error::from_errno("failed to copy files: " + operation_.destination, ELOOP);
}

Result<void> Copier::run(const std::vector<FoundSource>& sources, const std::vector<Download>& downloads) {
  if (!operation_.owner.empty()) owner_ = TRY(find_owner(root_, operation_.owner));
  if (sources.size() + operation_.files.size() + downloads.size() > 1 &&
      !operation_.destination.ends_with('/') && !destination_is_directory())
    return fail(
        Kind::InvalidArgument,
        "When using {} with more than one source file, the destination must be a directory and end with a /",
        operation_.add ? "ADD" : "COPY");
  for (const FoundSource& source : sources) TRY(copy_source(source));
  for (const InlineFile& file : operation_.files) TRY(write_inline(file));
  for (const Download& download : downloads) TRY(copy_download(download));
  return {};
}

/// Never unpacked, whatever it is; its mode and time were settled with the download.
Result<void> Copier::copy_download(const Download& download) {
  const bool into = operation_.destination.ends_with('/') || destination_is_directory();
  const Target target = TRY(target_of(download.name, into));
  struct stat status = {};
  if (fstat(download.file.get(), &status) != 0) return fail_errno("stat {}", download.name);
  if (lseek(download.file.get(), 0, SEEK_SET) < 0) return fail_errno("seek");
  return copy_file(download.file, status, target.directory, target.name);
}

Result<void> Copier::copy_source(const FoundSource& source) {
  if (source.directory) {
    const sys::Fd from = TRY(sys::open_in_root(tree_.root, source.path, O_RDONLY | O_DIRECTORY));
    const sys::Fd to = TRY(make_directories(operation_.destination));
    base_ = &to;
    links_.clear();
    return copy_directory(from, to, {source.path, ""});
  }
  const sys::Fd file = TRY(sys::open_in_root(tree_.root, source.path, O_RDONLY | O_NONBLOCK));
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) return fail_errno("stat {}", source.path);
  if (!S_ISREG(status.st_mode))
    return fail(Kind::InvalidArgument, "{} failed: {} is neither a file nor a directory",
                operation_.add ? "ADD" : "COPY", source.path);
  if (operation_.add && TRY(looks_like_archive(file))) {
    const sys::Fd to = TRY(make_directories(operation_.destination));
    TRY_CONTEXT(unpack_archive(file, to, owner_, limits_), "ADD failed: {}", source.path);
    return {};
  }
  const bool into = operation_.destination.ends_with('/') || destination_is_directory();
  const Target target = TRY(target_of(source.name, into));
  return copy_file(file, status, target.directory, target.name);
}

Result<bool> Copier::has_included(const sys::Fd& directory, const std::string& path) const {
  for (const std::string& name : TRY(archive::entries_of(directory))) {
    const std::string child = joined(path, name);
    if (!tree_.excludes(child)) return true;
    const auto nested = archive::open_entry(directory, name, O_RDONLY | O_DIRECTORY);
    if (nested.ok() && TRY(has_included(*nested, child))) return true;
  }
  return false;
}

Result<void> Copier::copy_directory(const sys::Fd& from, const sys::Fd& to, const Place& place) {
  if (cancellation_.requested()) return Error(Kind::Cancelled, "build cancelled");
  for (const std::string& name : TRY(archive::entries_of(from)))
    TRY(copy_entry(from, to, name, {joined(place.source, name), joined(place.copied, name)}));
  return {};
}

Result<void> Copier::copy_entry(const sys::Fd& from, const sys::Fd& to, const std::string& name,
                                const Place& place) {
  struct stat status = {};
  if (fstatat(from.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("stat {}", place.source);
  if (S_ISDIR(status.st_mode)) return copy_subdirectory(from, to, name, place, status);
  if (tree_.excludes(place.source)) return {};
  if (S_ISREG(status.st_mode)) return copy_regular(from, to, name, place, status);
  TRY_CONTEXT(copy_special(from, to, name, status), "failed to copy files: {}", place.source);
  return {};
}

Result<void> Copier::copy_subdirectory(const sys::Fd& from, const sys::Fd& to, const std::string& name,
                                       const Place& place, const struct stat& status) {
  const sys::Fd source = TRY(archive::open_entry(from, name, O_RDONLY | O_DIRECTORY));
  if (tree_.excludes(place.source) &&
      !(tree_.ignore->has_exceptions() && TRY(has_included(source, place.source))))
    return {};
  struct stat old = {};
  const bool exists = fstatat(to.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists && !S_ISDIR(old.st_mode)) TRY(archive::remove_entry(to, name));
  if ((!exists || !S_ISDIR(old.st_mode)) && mkdirat(to.get(), name.c_str(), 0700) != 0)
    return fail_errno("failed to copy files: mkdir {}", place.copied);
  const sys::Fd target = TRY(archive::open_entry(to, name, O_RDONLY | O_DIRECTORY));
  TRY(copy_directory(source, target, place));
  const auto [uid, gid] = owner_of(status);
  if (fchown(target.get(), uid, gid) != 0) return fail_errno("failed to copy files: chown {}", place.copied);
  if (fchmod(target.get(), operation_.mode.value_or(status.st_mode & 07777)) != 0)
    return fail_errno("failed to copy files: chmod {}", place.copied);
  TRY_CONTEXT(archive::write_xattrs(target, portable_xattrs(source)), "failed to copy files: {}",
              place.copied);
  const timespec times[2] = {{0, UTIME_OMIT}, status.st_mtim};
  if (futimens(target.get(), times) != 0)
    return fail_errno("failed to copy files: set time of {}", place.copied);
  return {};
}

Result<void> Copier::copy_regular(const sys::Fd& from, const sys::Fd& to, const std::string& name,
                                  const Place& place, const struct stat& status) {
  if (status.st_nlink > 1 && base_) {
    const auto [first, fresh] = links_.emplace(std::pair(status.st_dev, status.st_ino), place.copied);
    if (!fresh) {
      TRY(archive::remove_entry(to, name));
      if (linkat(base_->get(), first->second.c_str(), to.get(), name.c_str(), 0) != 0)
        return fail_errno("failed to copy files: link {}", place.copied);
      return {};
    }
  }
  const sys::Fd file = TRY(archive::open_entry(from, name, O_RDONLY));
  TRY_CONTEXT(copy_file(file, status, to, name), "failed to copy files: {}", place.copied);
  return {};
}

Result<void> Copier::copy_file(const sys::Fd& file, const struct stat& status, const sys::Fd& to,
                               const std::string& name) {
  constexpr int kCreate = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  sys::Fd out(openat(to.get(), name.c_str(), kCreate, 0600));
  if (!out && errno == EEXIST) {
    struct stat old = {};
    if (fstatat(to.get(), name.c_str(), &old, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(old.st_mode))
      return Error(Kind::InvalidArgument, fmt::format("cannot copy to directory: {}", name));
    TRY(archive::remove_entry(to, name));
    out = sys::Fd(openat(to.get(), name.c_str(), kCreate, 0600));
  }
  if (!out) return fail_errno("create {}", name);
  if (status.st_size > 0) TRY(archive::copy_bytes(file, out, static_cast<std::uint64_t>(status.st_size)));
  const auto [uid, gid] = owner_of(status);
  if ((uid != 0 || gid != 0) && fchown(out.get(), uid, gid) != 0) return fail_errno("chown {}", name);
  if (fchmod(out.get(), operation_.mode.value_or(status.st_mode & 07777)) != 0)
    return fail_errno("chmod {}", name);
  TRY(archive::write_xattrs(out, portable_xattrs(file)));
  const timespec times[2] = {{0, UTIME_OMIT}, status.st_mtim};
  if (futimens(out.get(), times) != 0) return fail_errno("set time of {}", name);
  return {};
}

Result<void> Copier::copy_special(const sys::Fd& from, const sys::Fd& to, const std::string& name,
                                  const struct stat& status) {
  if (S_ISSOCK(status.st_mode)) return {};  // as archives do
  TRY(archive::remove_entry(to, name));
  if (S_ISLNK(status.st_mode)) {
    const std::string target = TRY(archive::link_target(from, name));
    if (symlinkat(target.c_str(), to.get(), name.c_str()) != 0) return fail_errno("symlink");
  } else if (mknodat(to.get(), name.c_str(), status.st_mode, status.st_rdev) != 0) {
    return fail_errno("mknod");
  }
  const auto [uid, gid] = owner_of(status);
  if (fchownat(to.get(), name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) return fail_errno("chown");
  if (!S_ISLNK(status.st_mode) &&
      fchmodat(to.get(), name.c_str(), operation_.mode.value_or(status.st_mode & 07777), 0) != 0)
    return fail_errno("chmod");
  return set_times(to, name, status);
}

Result<void> Copier::write_inline(const InlineFile& file) {
  const bool into = operation_.destination.ends_with('/') || destination_is_directory();
  const Target target = TRY(target_of(file.name, into));
  TRY(archive::remove_entry(target.directory, target.name));
  const sys::Fd out =
      TRY(sys::open_at(target.directory, target.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY(sys::write_all(out, file.content));
  const auto [uid, gid] = owner_.value_or(std::pair<uid_t, gid_t>(0, 0));
  if (fchown(out.get(), uid, gid) != 0) return fail_errno("chown {}", file.name);
  if (fchmod(out.get(), operation_.mode.value_or(0644)) != 0) return fail_errno("chmod {}", file.name);
  return {};
}

}  // namespace skiff::build
