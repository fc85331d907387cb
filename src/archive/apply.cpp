#include "archive/apply.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <unordered_map>
#include <vector>

#include "archive/limit_source.h"
#include "archive/tar_reader.h"
#include "base/strings.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::archive {

namespace {

constexpr std::string_view kWhiteoutPrefix = ".wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";
constexpr std::string_view kAufsPrefix = ".wh..wh.";
constexpr std::size_t kOpenDirectories = 64;
constexpr std::size_t kShownName = 200;

/// A name for an error sentence: quoted, and cut when it is huge.
std::string shown(std::string_view name) {
  if (name.size() <= kShownName) return quote(name);
  return quote(name.substr(0, kShownName)) + "...";
}

/// What a name, a link or an attribute asks for and no file system has is the archive's fault, and not the
/// machine's.
Error blamed(const Error& error) {
  switch (error.code()) {
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case EINVAL:
    case E2BIG:
    case ERANGE:
    case EFBIG:
    case EMLINK:
      return {Kind::InvalidArgument, error.message(), error.code()};
    default:
      return error;
  }
}

class Applier {
 public:
  Applier(TarReader& tar, const sys::Fd& root, const ApplyOptions& options, Recorder* recorder)
      : tar_(tar), root_(root), options_(options), recorder_(recorder) {}

  Result<ApplyStats> run() {
    Entry entry;
    while (TRY(next(entry))) {
      ++stats_.entries;
      const auto placed = place(entry);
      if (!placed)
        return blamed(placed.error()).with_context(fmt::format("archive entry {}", shown(entry.path)));
    }
    TRY(set_directory_times());
    return stats_;
  }

 private:
  /// A directory that was resolved. `plain`: its path has no links on the way, as the recorder wants it.
  struct Parent {
    sys::Fd directory;
    bool plain = false;
  };
  struct Place {
    const sys::Fd* parent;
    std::string name;
    bool plain = true;
  };

  Result<bool> next(Entry& entry);
  Result<void> place(const Entry& entry);
  Result<std::string> inside(std::string_view name) const;
  Result<Place> locate(const std::string& path, bool make_parents);
  Result<void> make(const Entry& entry, const Place& place, const std::string& path);
  Result<void> make_file(const Entry& entry, const Place& place, const std::string& path);
  Result<void> write_data(const Entry& entry, const sys::Fd& file);
  Result<void> remove(const Place& place);
  Result<void> make_directory(const Entry& entry, const Place& place, const std::string& path);
  Result<void> make_hard_link(const Entry& entry, const Place& place);
  Result<void> finish_link(const Entry& entry, const Place& place) const;
  Result<void> make_node(const Entry& entry, const Place& place);
  Result<void> root_attributes(const Entry& entry);
  Result<void> whiteout(const Place& place);
  Result<void> clear(const Entry& entry, const Place& place, const std::string& path, bool* was_whiteout);
  Result<void> own_entry(const Entry& entry, const Place& place) const;
  Result<void> finish_open(const Entry& entry, const sys::Fd& file, bool with_time) const;
  Result<void> set_directory_times();
  uid_t uid(const Entry& entry) const {
    return options_.owner ? options_.owner->first : options_.keep_owner ? entry.uid : 0;
  }
  gid_t gid(const Entry& entry) const {
    return options_.owner ? options_.owner->second : options_.keep_owner ? entry.gid : 0;
  }

  TarReader& tar_;
  const sys::Fd& root_;
  const ApplyOptions& options_;
  Recorder* recorder_;
  ApplyStats stats_;
  /// Directories that were resolved already. Emptied whenever something is replaced, because then a name may
  /// have come to mean another directory.
  std::unordered_map<std::string, Parent> parents_;
  std::vector<std::pair<std::string, timespec>> times_;
};

/// `entry` is the one before: what is too much after it is told by its name.
Result<bool> Applier::next(Entry& entry) {
  auto more = tar_.next(entry);
  if (!more.ok() && more.error().kind() == Kind::Exhausted && !entry.path.empty())
    return more.error().with_context(fmt::format("after archive entry {}", shown(entry.path)));
  if (more.ok() && *more && options_.limits.entries > 0 && stats_.entries >= options_.limits.entries)
    return too_many_entries(options_.limits).with_context(fmt::format("archive entry {}", shown(entry.path)));
  return more;
}

Result<std::string> Applier::inside(std::string_view name) const {
  if (name.empty()) return fail(Kind::InvalidArgument, "an empty name");
  if (name.front() == '/') {
    if (!options_.absolute_names)
      return fail(Kind::Forbidden, "an absolute path leads out of the archive's tree");
    while (!name.empty() && name.front() == '/') name.remove_prefix(1);
  }
  std::string path = sys::clean_path(name);
  if (path == ".." || path.starts_with("../"))
    return fail(Kind::Forbidden, "the path {} leads out of the archive's tree", shown(path));
  return path;
}

Result<Applier::Place> Applier::locate(const std::string& path, bool make_parents) {
  const auto slash = path.rfind('/');
  Place place{&root_, slash == std::string::npos ? path : path.substr(slash + 1)};
  if (slash == std::string::npos) return place;
  std::string parent = path.substr(0, slash);
  auto found = parents_.find(parent);
  if (found == parents_.end()) {
    if (parents_.size() >= kOpenDirectories) parents_.clear();
    auto opened = make_parents ? make_directories_below(root_, parent, options_.escape)
                               : open_directory_below(root_, parent, options_.escape);
    Parent resolved{TRY(std::move(opened)),
                    recorder_ && open_plain(root_, parent, O_PATH | O_DIRECTORY).ok()};
    found = parents_.emplace(std::move(parent), std::move(resolved)).first;
  }
  place.parent = &found->second.directory;
  place.plain = found->second.plain;
  return place;
}

Result<void> Applier::place(const Entry& entry) {
  const std::string path = TRY(inside(entry.path));
  if (path == ".") return root_attributes(entry);
  Place place = TRY(locate(path, true));
  if (options_.whiteouts == ApplyOptions::Whiteouts::Overlay && place.name.starts_with(kWhiteoutPrefix)) {
    if (place.name == kOpaqueName) return set_opaque(*place.parent);
    if (place.name.starts_with(kAufsPrefix)) return {};  // aufs' own bookkeeping in old images
    place.name.erase(0, kWhiteoutPrefix.size());
    if (place.name.empty() || place.name == "." || place.name == "..")
      return fail(Kind::Forbidden, "a whiteout of {} leads out of the archive's tree", shown(place.name));
    return whiteout(place);
  }
  return make(entry, place, path);
}

Result<void> Applier::whiteout(const Place& place) {
  // A file of this very layer stays: whiteouts are about the layers below (OCI image spec, layer.md).
  if (::mknodat(place.parent->get(), place.name.c_str(), S_IFCHR, makedev(0, 0)) != 0 && errno != EEXIST)
    return fail_errno("whiteout");
  return {};
}

Result<void> Applier::root_attributes(const Entry& entry) {
  if (entry.type != Entry::Type::Directory)
    return fail(Kind::InvalidArgument, "only a directory can be the root");
  if (!options_.root_attributes) return {};
  TRY(finish_open(entry, root_, false));
  times_.emplace_back(".", entry.mtime);
  return {};
}

/// Makes room: what stands at the place goes, unless both are directories.
Result<void> Applier::clear(const Entry& entry, const Place& place, const std::string& path,
                            bool* was_whiteout) {
  struct stat status {};
  if (::fstatat(place.parent->get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("stat");
  }
  const bool directory = entry.type == Entry::Type::Directory;
  if (directory && S_ISDIR(status.st_mode)) return {};
  if (options_.keep_kinds && S_ISDIR(status.st_mode))
    return fail(Kind::InvalidArgument, "cannot overwrite directory {} with non-directory", shown(path));
  if (options_.keep_kinds && directory)
    return fail(Kind::InvalidArgument, "cannot overwrite non-directory {} with directory", shown(path));
  if (was_whiteout) *was_whiteout = is_whiteout(status);
  // What is cached may lie below what goes now; `place.parent` itself does not.
  for (auto at = parents_.begin(); at != parents_.end();)
    at = &at->second.directory == place.parent ? std::next(at) : parents_.erase(at);
  return remove(place);
}

Result<void> Applier::remove(const Place& place) {
  if (!recorder_) return remove_entry(*place.parent, place.name);
  return remove_entry(*place.parent, place.name, [&](const sys::Fd& dir, const std::string& name) {
    return recorder_->removing(dir, name);
  });
}

Result<void> Applier::make(const Entry& entry, const Place& place, const std::string& path) {
  switch (entry.type) {
    case Entry::Type::Directory:
      return make_directory(entry, place, path);
    case Entry::Type::Regular:
      break;
    case Entry::Type::Other:
      return fail(Kind::InvalidArgument, "a file type that tar archives do not have");
    default:
      TRY(clear(entry, place, path, nullptr));
  }
  switch (entry.type) {
    case Entry::Type::HardLink:
      return make_hard_link(entry, place);
    case Entry::Type::Symlink:
      if (::symlinkat(entry.link.c_str(), place.parent->get(), place.name.c_str()) != 0)
        return fail_errno("symlink");
      return own_entry(entry, place);
    case Entry::Type::CharacterDevice:
    case Entry::Type::BlockDevice:
    case Entry::Type::Fifo:
      return make_node(entry, place);
    default:
      break;
  }
  // The usual case is a new file, so look only when it is none.
  auto made = make_file(entry, place, path);
  if (made || made.error().code() != EEXIST) return made;
  TRY(clear(entry, place, path, nullptr));
  return make_file(entry, place, path);
}

Result<void> Applier::make_file(const Entry& entry, const Place& place, const std::string& path) {
  const sys::Fd file(::openat(place.parent->get(), place.name.c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry.mode & 0777));
  if (!file) return fail_errno("create");
  if (recorder_) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return fail_errno("stat");
    recorder_->file(place.plain ? path : "", status.st_ino);
  }
  TRY(write_data(entry, file));
  stats_.bytes += entry.size;
  return finish_open(entry, file, true);
}

Result<void> Applier::write_data(const Entry& entry, const sys::Fd& file) {
  std::int64_t offset = 0;
  std::int64_t position = 0;
  for (;;) {
    const auto bytes = TRY(tar_.data(offset));
    if (bytes.empty()) break;
    // What is written over would be missing when the tar is made again; Go's reader refuses such a map.
    if (offset < position)
      return fail(Kind::InvalidArgument, "the pieces of its sparse map are not in order");
    // A sparse map need not end where the file does.
    if (static_cast<std::uint64_t>(offset) + bytes.size() > entry.size)
      return fail(Kind::InvalidArgument, "its sparse map leads beyond the {} bytes of the file", entry.size);
    if (recorder_) TRY(recorder_->data(tar_.position(), bytes, static_cast<std::uint64_t>(offset)));
    if (offset != position && ::lseek(file.get(), offset, SEEK_SET) < 0) return fail_errno("seek");
    TRY_CONTEXT(sys::write_all(file, bytes), "write");
    position = offset + static_cast<std::int64_t>(bytes.size());
  }
  if (static_cast<std::uint64_t>(position) < entry.size &&
      ::ftruncate(file.get(), static_cast<off_t>(entry.size)) != 0)
    return fail_errno("truncate");
  return {};
}

Result<void> Applier::make_directory(const Entry& entry, const Place& place, const std::string& path) {
  bool was_whiteout = false;
  if (::mkdirat(place.parent->get(), place.name.c_str(), 0700) != 0) {
    if (errno != EEXIST) return fail_errno("mkdir");
    TRY(clear(entry, place, path, &was_whiteout));
    if (::mkdirat(place.parent->get(), place.name.c_str(), 0700) != 0 && errno != EEXIST)
      return fail_errno("mkdir");
  }
  const sys::Fd directory = TRY(open_entry(*place.parent, place.name, O_RDONLY | O_DIRECTORY));
  // Deleted and made again within one layer: what the layers below have there stays deleted.
  if (was_whiteout) TRY(set_opaque(directory));
  TRY(finish_open(entry, directory, false));
  if (options_.directory_times) times_.emplace_back(path, entry.mtime);
  return {};
}

Result<void> Applier::make_hard_link(const Entry& entry, const Place& place) {
  const std::string target = TRY_CONTEXT(inside(entry.link), "hard link to {}", shown(entry.link));
  // Looking the target up may empty the cache that place.parent points into.
  const sys::Fd parent = TRY(sys::duplicate(*place.parent));
  const Place source = TRY_CONTEXT(locate(target, false), "hard link to {}", shown(entry.link));
  if (::linkat(source.parent->get(), source.name.c_str(), parent.get(), place.name.c_str(), 0) != 0)
    return fail_errno("hard link to {}", shown(entry.link));
  return finish_link(entry, {&parent, place.name});
}

/// What a link's own entry says of mode, owner and time is said of the file, as Docker has it; mostly it is
/// what the file has already. A symbolic link stays as it is.
Result<void> Applier::finish_link(const Entry& entry, const Place& place) const {
  struct stat status {};
  if (::fstatat(place.parent->get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("stat");
  if (S_ISLNK(status.st_mode)) return {};
  const bool same_owner = status.st_uid == uid(entry) && status.st_gid == gid(entry);
  if (same_owner && (status.st_mode & 07777) == entry.mode && status.st_mtim.tv_sec == entry.mtime.tv_sec &&
      status.st_mtim.tv_nsec == entry.mtime.tv_nsec)
    return {};
  // A change of owner would take capabilities away, also where there is nothing to change.
  if (!same_owner) TRY(own_entry(entry, place));
  if (::fchmodat(place.parent->get(), place.name.c_str(), entry.mode, 0) != 0) return fail_errno("chmod");
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (::utimensat(place.parent->get(), place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("utimes");
  return {};
}

Result<void> Applier::make_node(const Entry& entry, const Place& place) {
  if (entry.type != Entry::Type::Fifo && !options_.devices)
    return fail(Kind::Forbidden, "device nodes are not allowed here");
  const mode_t kind = entry.type == Entry::Type::Fifo          ? S_IFIFO
                      : entry.type == Entry::Type::BlockDevice ? S_IFBLK
                                                               : S_IFCHR;
  if (::mknodat(place.parent->get(), place.name.c_str(), kind | entry.mode,
                makedev(entry.major, entry.minor)) != 0)
    return fail_errno("mknod");
  TRY(own_entry(entry, place));
  // Chown took the special bits away, and the umask some others. glibc's AT_SYMLINK_NOFOLLOW wants /proc, so
  // the entry is changed by name right after it was made by us in a directory we hold.
  if (::fchmodat(place.parent->get(), place.name.c_str(), entry.mode, 0) != 0) return fail_errno("chmod");
  return {};
}

Result<void> Applier::own_entry(const Entry& entry, const Place& place) const {
  if (::fchownat(place.parent->get(), place.name.c_str(), uid(entry), gid(entry), AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("chown");
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (::utimensat(place.parent->get(), place.name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    return fail_errno("utimes");
  return {};
}

Result<void> Applier::finish_open(const Entry& entry, const sys::Fd& file, bool with_time) const {
  // A worker's new file mostly is as it should be already; each change that is not made saves a journal
  // entry.
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return fail_errno("stat");
  const bool other_owner = status.st_uid != uid(entry) || status.st_gid != gid(entry);
  if (other_owner && ::fchown(file.get(), uid(entry), gid(entry)) != 0) return fail_errno("chown");
  // After chown, which takes set-uid away; capabilities after both for the same reason.
  if ((other_owner || (status.st_mode & 07777) != entry.mode) && ::fchmod(file.get(), entry.mode) != 0)
    return fail_errno("chmod");
  TRY(write_xattrs(file, entry.xattrs));
  const timespec times[2] = {entry.mtime, entry.mtime};
  if (with_time && ::futimens(file.get(), times) != 0) return fail_errno("utimes");
  return {};
}

/// Last, because every file placed in a directory changes its time. A directory that became something else
/// meanwhile is passed over.
Result<void> Applier::set_directory_times() {
  for (auto at = times_.rbegin(); at != times_.rend(); ++at) {
    const timespec times[2] = {at->second, at->second};
    if (auto directory = open_directory_below(root_, at->first, options_.escape))
      if (::futimens(directory->get(), times) != 0) return fail_errno("utimes {}", shown(at->first));
  }
  return {};
}

}  // namespace

ApplyOptions layer_options() {
  ApplyOptions options;
  options.whiteouts = ApplyOptions::Whiteouts::Overlay;
  options.escape = Escape::Confine;
  options.devices = true;
  options.absolute_names = true;
  options.root_attributes = false;
  return options;
}

ApplyOptions context_options() {
  ApplyOptions options;
  options.keep_owner = false;
  return options;
}

Result<ApplyStats> apply(Source& tar, const sys::Fd& root, const ApplyOptions& options, Recorder* recorder) {
  TarReader reader(tar);
  return Applier(reader, root, options, recorder).run();
}

}  // namespace skiff::archive
