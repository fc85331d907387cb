#include "sys/overlay.h"

#include <sys/mount.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <string_view>

#include "sys/syscalls.h"

namespace skiff::sys {
namespace {

constexpr std::size_t kPage = 4096;  // mount(2) takes one page

bool is_layer(const FilesystemOption& option) { return option.key == "lowerdir+" && option.value; }
bool is_path(const FilesystemOption& option) {
  return is_layer(option) || (option.value && (option.key == "upperdir" || option.key == "workdir"));
}

/// The directory that all paths lie in, with its slash at the end; empty when they share none.
std::string_view shared_directory(const std::vector<FilesystemOption>& options) {
  std::optional<std::string_view> shared;
  for (const auto& option : options) {
    if (!is_path(option) || option.value->empty()) continue;
    const std::string_view path(option.value->data(), option.value->size() - 1);  // something must remain
    if (!shared) shared = path;
    const auto [end, ignored] = std::mismatch(shared->begin(), shared->end(), path.begin(), path.end());
    shared = std::string_view(shared->data(), static_cast<std::size_t>(end - shared->begin()));
  }
  if (!shared) return {};
  return shared->substr(0, shared->rfind('/') + 1);  // npos + 1 is nothing
}

/// The text that mount(2) gets.
class Page {
 public:
  void add(std::string_view text) {
    if (size_ + text.size() >= sizeof text_) {
      full_ = true;
      return;
    }
    std::memcpy(text_ + size_, text.data(), text.size());
    size_ += text.size();
    text_[size_] = '\0';
  }
  /// What separates layers and options stands behind a backslash in a path.
  void add_path(std::string_view path) {
    for (const char& c : path) {
      if (c == ':' || c == ',' || c == '\\') add("\\");
      add({&c, 1});
    }
  }
  bool full() const { return full_; }
  const char* text() const { return text_; }

 private:
  char text_[kPage] = {};
  std::size_t size_ = 0;
  bool full_ = false;
};

void fill(Page& page, const std::vector<FilesystemOption>& options, std::size_t shared) {
  bool first = true;
  for (const auto& option : options) {
    if (!is_layer(option)) continue;
    page.add(first ? "lowerdir=" : ":");
    page.add_path(std::string_view(*option.value).substr(shared));
    first = false;
  }
  for (const auto& option : options) {
    if (is_layer(option)) continue;
    page.add(",");
    page.add(option.key);
    if (!option.value) continue;
    page.add("=");
    if (is_path(option))
      page.add_path(std::string_view(*option.value).substr(shared));
    else
      page.add(*option.value);
  }
}

/// `place` is a directory that may be covered for a moment.
int mount_at(const char* place, const char* data, bool read_only) {
  if (::mount("overlay", place, "overlay", read_only ? MS_RDONLY : 0, data) != 0) return -1;
  const int tree = raw::open_tree(AT_FDCWD, place, OPEN_TREE_CLONE);
  const int code = errno;
  ::umount2(place, MNT_DETACH);
  errno = code;
  return tree;
}

}  // namespace

bool overlay_reads_late(int context, const std::vector<FilesystemOption>& options) {
  if (std::none_of(options.begin(), options.end(), is_layer)) return false;
  // Such a context takes strings alone, which is found out first; others look at the path, and an empty one
  // is refused before anybody asks what it is for.
  return raw::fsconfig(context, FSCONFIG_SET_PATH, "lowerdir+", "", AT_FDCWD) != 0 && errno == EOPNOTSUPP;
}

int mount_overlay_page(const std::vector<FilesystemOption>& options, bool read_only) {
  const auto top = std::find_if(options.begin(), options.end(), is_layer);
  const std::string_view shared = shared_directory(options);
  Page page;
  fill(page, options, shared.size());
  if (top == options.end() || page.full() || shared.size() >= PATH_MAX) {
    errno = top == options.end() ? EINVAL : E2BIG;
    return -1;
  }
  if (shared.empty()) return mount_at(top->value->c_str(), page.text(), read_only);
  char directory[PATH_MAX];
  std::memcpy(directory, shared.data(), shared.size());
  directory[shared.size()] = '\0';
  const int before = ::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (before < 0) return -1;
  const int tree =
      ::chdir(directory) == 0 ? mount_at(top->value->c_str() + shared.size(), page.text(), read_only) : -1;
  const int code = errno;
  const bool back = ::fchdir(before) == 0;
  ::close(before);
  if (!back && tree >= 0) ::close(tree);
  errno = back ? code : ENOENT;
  return back ? tree : -1;
}

}  // namespace skiff::sys
