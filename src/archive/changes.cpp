#include "archive/changes.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <optional>

#include "archive/tree.h"
#include "base/strings.h"
#include "sys/file.h"

namespace skiff::archive {

namespace {

using Kind = Change::Kind;

/// What the layers below show of one name.
struct Below {
  struct stat status {};
  std::vector<sys::Fd> directories;  ///< merged into one, topmost first
};

Result<std::optional<Below>> look_below(const std::vector<sys::Fd>& lower, const std::string& name) {
  std::optional<Below> below;
  for (const auto& layer : lower) {
    struct stat status {};
    if (::fstatat(layer.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;
      return fail_errno("stat {}", quote(name));
    }
    if (is_whiteout(status)) break;
    if (!below) below.emplace(Below{status, {}});
    if (!S_ISDIR(status.st_mode)) break;
    below->directories.push_back(TRY(open_entry(layer, name, O_RDONLY | O_DIRECTORY)));
    if (is_opaque(below->directories.back())) break;
  }
  return below;
}

/// Copying up a directory keeps all of this.
bool same_owner_and_mode(const struct stat& a, const struct stat& b) {
  return a.st_mode == b.st_mode && a.st_uid == b.st_uid && a.st_gid == b.st_gid;
}
bool same_time(const struct stat& a, const struct stat& b) {
  return a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

class Walker {
 public:
  explicit Walker(const std::set<std::string>& places) : places_(places) {}

  /// The entries of `upper`, whose path is `path` ("" for the root). `counted`: the directory itself stands
  /// in the list already, or never will.
  Result<void> entries(const sys::Fd& upper, const std::vector<sys::Fd>& lower, const std::string& path,
                       bool counted) {
    const std::size_t start = found_.size();
    for (const auto& name : TRY(entries_of(upper))) {
      const std::string inner = path + "/" + name;
      const std::size_t before = found_.size();
      TRY_CONTEXT(entry(upper, lower, name, inner), "{}", quote(inner));
      if (counted || found_.size() == before) continue;
      // Docker names the directory as well, once something in it came or went.
      if (found_[before].kind == Kind::Modified) continue;
      found_.insert(found_.begin() + static_cast<std::ptrdiff_t>(start), Change{path, Kind::Modified});
      counted = true;
    }
    return {};
  }
  std::vector<Change> found() { return std::move(found_); }

 private:
  Result<void> entry(const sys::Fd& upper, const std::vector<sys::Fd>& lower, const std::string& name,
                     const std::string& path);

  bool holds_place(const sys::Fd& directory, const std::string& path) const;

  const std::set<std::string>& places_;
  std::vector<Change> found_;
};

/// Whether making a place to mount on has changed the directory's time.
bool Walker::holds_place(const sys::Fd& directory, const std::string& path) const {
  for (auto at = places_.upper_bound(path + "/"); at != places_.end() && at->starts_with(path + "/"); ++at) {
    const std::string name = at->substr(path.size() + 1);
    struct stat status {};
    if (name.find('/') == std::string::npos &&
        ::fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
      return true;
  }
  return false;
}

Result<void> Walker::entry(const sys::Fd& upper, const std::vector<sys::Fd>& lower, const std::string& name,
                           const std::string& path) {
  struct stat status {};
  if (::fstatat(upper.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};  // a running container took it away
    return fail_errno("stat");
  }
  auto below = TRY(look_below(lower, name));
  if (is_whiteout(status)) {
    if (below) found_.push_back({path, Kind::Deleted});
    return {};
  }
  const bool is_place = !below && places_.contains(path);
  if (!S_ISDIR(status.st_mode)) {
    if (is_place && S_ISREG(status.st_mode) && status.st_size == 0) return {};
    found_.push_back({path, below ? Kind::Modified : Kind::Added});
    return {};
  }
  const sys::Fd directory = TRY(open_entry(upper, name, O_RDONLY | O_DIRECTORY));
  const bool merged = below && S_ISDIR(below->status.st_mode);
  const bool counts = !is_place && (!merged || !same_owner_and_mode(status, below->status) ||
                                    (!same_time(status, below->status) && !holds_place(directory, path)));
  if (counts) found_.push_back({path, below ? Kind::Modified : Kind::Added});
  static const std::vector<sys::Fd> kNothing;
  const std::size_t start = found_.size();
  TRY(entries(directory, merged ? below->directories : kNothing, path, counts || is_place));
  // Something was put into what was made to mount on: then it is there.
  if (is_place && found_.size() > start)
    found_.insert(found_.begin() + static_cast<std::ptrdiff_t>(start), Change{path, Kind::Added});
  // Docker has a layer of its own for such places, so that it sees another directory there: it names the
  // directory with any change inside.
  const bool changed = found_.size() > start && found_[start].path != path;
  if (merged && !counts && changed && holds_place(directory, path))
    found_.insert(found_.begin() + static_cast<std::ptrdiff_t>(start), Change{path, Kind::Modified});
  return {};
}

}  // namespace

Result<std::vector<Change>> changes(const sys::Fd& upper, const std::vector<sys::Fd>& lower,
                                    const std::set<std::string>& places) {
  Walker walker(places);
  TRY(walker.entries(upper, lower, "", true));
  return walker.found();
}

}  // namespace skiff::archive
