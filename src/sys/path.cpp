#include "sys/path.h"

#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/strings.h"

namespace skiff::sys {
namespace {

/// openat2(2); EAGAIN comes back when a rename raced with the resolution of "..", and is tried again a
/// bounded number of times.
Result<Fd> resolve(const Fd& root, std::string_view path, int flags, mode_t mode) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? mode : 0;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  std::string text(path);
  if (text.empty()) text = ".";
  if (text.find('\0') != std::string::npos)
    return fail(Kind::InvalidArgument, "path {} holds a NUL byte", quote(text));
  for (int attempt = 0;; ++attempt) {
    Fd fd(static_cast<int>(syscall(SYS_openat2, root.get(), text.c_str(), &how, sizeof how)));
    if (fd) return fd;
    if (errno != EAGAIN || attempt >= 32) return fail_errno("open {}", text);
  }
}

}  // namespace

Result<Fd> open_in_root(const Fd& root, std::string_view path, int flags, mode_t mode) {
  return resolve(root, path, flags, mode);
}

Result<Fd> open_link_in_root(const Fd& root, std::string_view path) {
  return resolve(root, path, O_PATH | O_NOFOLLOW, 0);
}

Result<Fd> make_directories_in_root(const Fd& root, std::string_view path, mode_t mode, uid_t uid,
                                    gid_t gid) {
  if (auto there = resolve(root, path, O_PATH | O_DIRECTORY, 0);
      there.ok() || there.error().kind() != Kind::NotFound)
    return there;
  // The prefix is re-resolved from the root at every step, so that links on the way count as the kernel sees
  // them.
  std::string prefix;
  Fd current = TRY(resolve(root, ".", O_PATH | O_DIRECTORY, 0));
  for (const auto& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    prefix += '/' + part;
    auto next = resolve(root, prefix, O_PATH | O_DIRECTORY, 0);
    if (!next && next.error().kind() == Kind::NotFound && part != "..") {
      if (mkdirat(current.get(), part.c_str(), mode) == 0) {
        if ((uid != 0 || gid != 0) &&
            fchownat(current.get(), part.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0)
          return fail_errno("chown {}", prefix);
      } else if (errno != EEXIST) {
        return fail_errno("mkdir {}", prefix);
      }
      next = resolve(root, prefix, O_PATH | O_DIRECTORY, 0);
    }
    current = TRY(std::move(next));
  }
  return current;
}

std::string fd_path(const Fd& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

std::string clean_path(std::string_view path) {
  const bool absolute = !path.empty() && path[0] == '/';
  std::vector<std::string> kept;
  for (auto& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..")
      kept.push_back(std::move(part));
    else if (!kept.empty() && kept.back() != "..")
      kept.pop_back();
    else if (!absolute)
      kept.emplace_back("..");
  }
  const std::string joined = join(kept, "/");
  if (absolute) return "/" + joined;
  return joined.empty() ? "." : joined;
}

std::string current_directory() {
  char path[4096];
  return ::getcwd(path, sizeof path) ? path : "/";
}

std::string join_path(std::string_view base, std::string_view path) {
  if (!path.empty() && path[0] == '/') return clean_path(path);
  return clean_path(std::string(base) + "/" + std::string(path));
}

std::string_view base_name(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view dir_name(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

}  // namespace skiff::sys
