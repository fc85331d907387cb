#include "snapshot/root_view.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/strings.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::snapshot {
namespace {

constexpr int kMostLinks = 40;  // as the kernel's own limit

bool is_opaque(const sys::Fd& layer, const std::string& path) {
  const auto fd = sys::open_in_root(layer, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  char value = 0;
  if (!fd.ok()) return false;
  return (::fgetxattr(fd->get(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y') ||
         (::fgetxattr(fd->get(), "user.overlay.opaque", &value, 1) == 1 && value == 'y');
}

struct Entry {
  sys::Fd fd;
  struct stat status {};
};

std::optional<Entry> entry_in(const sys::Fd& layer, const std::string& path) {
  auto fd = sys::open_link_in_root(layer, path);
  if (!fd.ok()) return std::nullopt;
  Entry entry{std::move(fd).value(), {}};
  if (::fstat(entry.fd.get(), &entry.status) != 0) return std::nullopt;
  return entry;
}

bool is_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == ::makedev(0, 0);
}

std::optional<std::string> link_target(const sys::Fd& fd) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = ::readlinkat(fd.get(), "", target.data(), target.size());
  if (length <= 0 || length == PATH_MAX) return std::nullopt;
  target.resize(static_cast<std::size_t>(length));
  return target;
}

}  // namespace

/// What a path came to: the layers that take part in it (all for merged directories), topmost first.
struct RootView::Found {
  std::string path;  ///< without links
  std::vector<std::size_t> layers;
  struct stat status {};
};

Result<RootView> RootView::open(const std::vector<spec::Mount>& rootfs) {
  RootView view;
  for (const spec::Mount& mount : rootfs) {
    std::vector<std::string> paths;
    if (mount.type == "overlay") {
      for (const std::string& option : mount.options) {
        const auto [name, value] = cut(option, '=');
        if (!value) continue;
        if (name == "upperdir") paths.insert(paths.begin(), std::string(*value));
        if (name == "lowerdir+") paths.emplace_back(*value);
        if (name == "lowerdir")
          for (std::string& path : split(*value, ':')) paths.push_back(std::move(path));
      }
    } else if (mount.destination.empty()) {
      paths.push_back(mount.source);
    }
    for (const std::string& path : paths) view.layers_.push_back(TRY(sys::open_directory(path)));
  }
  return view;
}

std::optional<RootView::Found> RootView::resolve(std::string_view path) const {
  Found here{"/", {}, {}};
  for (std::size_t i = 0; i < layers_.size(); ++i) here.layers.push_back(i);
  here.status.st_mode = S_IFDIR;
  std::string rest = sys::clean_path(std::string("/") + std::string(path));
  const std::vector<std::size_t> all = here.layers;
  for (int links = 0; rest.size() > 1 || (rest.size() == 1 && rest != "/");) {
    const std::size_t end = rest.find('/', 1);
    const std::string name = rest.substr(1, end == std::string::npos ? end : end - 1);
    const std::string tail = end == std::string::npos ? std::string() : rest.substr(end);
    if (!S_ISDIR(here.status.st_mode)) return std::nullopt;
    Found next{sys::join_path(here.path, name), {}, {}};
    for (const std::size_t layer : here.layers) {
      const auto entry = entry_in(layers_[layer], next.path);
      if (!entry) continue;
      if (is_whiteout(entry->status)) break;
      if (next.layers.empty())
        next.status = entry->status;
      else if (!S_ISDIR(entry->status.st_mode))
        break;
      next.layers.push_back(layer);
      if (!S_ISDIR(entry->status.st_mode) || is_opaque(layers_[layer], next.path)) break;
    }
    if (next.layers.empty()) return std::nullopt;
    if (S_ISLNK(next.status.st_mode)) {
      if (++links > kMostLinks) return std::nullopt;
      const auto entry = entry_in(layers_[next.layers[0]], next.path);
      const auto target = entry ? link_target(entry->fd) : std::nullopt;
      if (!target) return std::nullopt;
      rest = sys::clean_path(sys::join_path("/" + here.path, *target) + tail);
      here = Found{"/", all, {}};
      here.status.st_mode = S_IFDIR;
      continue;
    }
    here = std::move(next);
    rest = tail;
  }
  return here;
}

Result<std::optional<std::string>> RootView::read(std::string_view path, std::size_t limit) const {
  const auto found = resolve(path);
  if (!found || !S_ISREG(found->status.st_mode)) return std::optional<std::string>();
  const auto fd =
      TRY(sys::open_in_root(layers_[found->layers[0]], found->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  std::string text(std::min<std::size_t>(limit, static_cast<std::size_t>(found->status.st_size)), '\0');
  text.resize(TRY(sys::read_some(fd, text.data(), text.size())));
  return std::optional<std::string>(std::move(text));
}

bool RootView::exists(std::string_view path) const { return resolve(path).has_value(); }

bool RootView::is_directory(std::string_view path) const {
  const auto found = resolve(path);
  return found && S_ISDIR(found->status.st_mode);
}

}  // namespace skiff::snapshot
