#include "build/ops/files.h"

#include <algorithm>
#include <future>
#include <thread>

#include "archive/tree.h"
#include "base/strings.h"
#include "build/frontend/pattern.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::build {
namespace {

constexpr std::size_t kPiece = 4 << 20;  ///< hashed by one thread

std::string strip_root(std::string_view path) {
  std::string clean = sys::clean_path(path);
  while (clean.starts_with('/')) clean.erase(0, 1);
  return clean.empty() ? "." : clean;
}

std::string below(const std::string& directory, const std::string& name) {
  return directory == "." ? name : directory + "/" + name;
}

/// Opens without following a last link; every component is resolved inside the tree.
Result<sys::Fd> open_path(const FileTree& tree, const std::string& path) {
  return sys::open_in_root(tree.root, path, O_PATH);
}

Error missing(const FileTree& tree, std::string_view instruction, const std::string& path) {
  if (tree.context)
    return fail(Kind::NotFound,
                "{} failed: file not found in build context or excluded by .dockerignore: stat {}: file does "
                "not exist",
                instruction, path);
  return fail(Kind::NotFound, "{} failed: stat {}: file does not exist", instruction, path);
}

/// Whether the plain path climbs above its start: "../x", "a/../../x".
bool escapes(std::string_view path) {
  int depth = 0;
  for (const std::string& part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    depth += part == ".." ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}

Result<FoundSource> find_plain(const FileTree& tree, const std::string& source,
                               std::string_view instruction) {
  if (tree.context && escapes(source))
    return fail(Kind::InvalidArgument, "{} failed: forbidden path outside the build context: {} ()",
                instruction, source);
  FoundSource found;
  found.path = strip_root(source);
  found.name = sys::base_name(found.path);
  const auto file = open_path(tree, found.path);
  if (!file.ok() && file.error().kind() != Kind::NotFound && file.error().code() != ENOTDIR)
    return file.error();
  if (!file.ok()) return missing(tree, instruction, found.path);
  struct stat status = {};
  if (fstat(file->get(), &status) != 0) return fail_errno("stat {}", found.path);
  found.directory = S_ISDIR(status.st_mode);
  const bool hidden =
      found.path != "." && tree.excludes(found.path) && !(found.directory && tree.ignore->has_exceptions());
  if (hidden) return missing(tree, instruction, found.path);
  return found;
}

class PatternWalk {
 public:
  PatternWalk(const FileTree& tree, const Pattern& pattern, std::vector<FoundSource>& out)
      : tree_(tree), pattern_(pattern), out_(out) {}

  Result<void> walk(const std::string& path, int depth) {
    if (depth < 0) return {};
    const sys::Fd dir = TRY(sys::open_in_root(tree_.root, path, O_RDONLY | O_DIRECTORY));
    for (const std::string& name : TRY(archive::entries_of(dir))) {
      const std::string child = below(path, name);
      struct stat status = {};
      if (fstatat(dir.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno("stat {}", child);
      const bool directory = S_ISDIR(status.st_mode);
      if (pattern_.matches(child) && !tree_.excludes(child)) {
        struct stat target = status;
        if (S_ISLNK(status.st_mode)) {
          const auto file = open_path(tree_, child);
          if (file.ok() && fstat(file->get(), &target) != 0) return fail_errno("stat {}", child);
        }
        out_.push_back({child, name, S_ISDIR(target.st_mode)});
      }
      if (directory) TRY(walk(child, depth - 1));
    }
    return {};
  }

 private:
  const FileTree& tree_;
  const Pattern& pattern_;
  std::vector<FoundSource>& out_;
};

/// The digest of a file's bytes: of its pieces' digests, so that several threads can share a large one.
Result<std::string> digest_content(const sys::Fd& file, std::uint64_t size) {
  const std::size_t pieces = std::max<std::size_t>(1, (size + kPiece - 1) / kPiece);
  std::vector<std::string> digests(pieces);
  std::atomic<std::size_t> next{0};
  const auto work = [&]() -> Result<void> {
    std::string buffer(std::min<std::uint64_t>(kPiece, std::max<std::uint64_t>(size, 1)), '\0');
    for (std::size_t piece; (piece = next++) < pieces;) {
      std::size_t have = 0;
      while (have < buffer.size()) {
        const ssize_t got = pread(file.get(), buffer.data() + have, buffer.size() - have,
                                  static_cast<off_t>(piece * kPiece + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("read");
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
      }
      digests[piece] = spec::Digest::of(std::string_view(buffer).substr(0, have)).hex();
    }
    return {};
  };
  if (pieces < 4) {
    TRY(work());
  } else {
    auto other = std::async(std::launch::async, work);
    const auto mine = work();
    TRY(other.get());
    TRY(mine);
  }
  return pieces == 1 ? digests[0] : std::string(spec::Digest::of(join(digests, " ")).hex());
}

/// Feeds a tree into one hash, in name order.
class TreeDigest {
 public:
  explicit TreeDigest(const FileTree& tree) : tree_(tree) {}

  Result<void> add(const sys::Fd& dir, const std::string& name, const std::string& path,
                   const std::string& shown) {
    struct stat status = {};
    if (fstatat(dir.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      return fail_errno("stat {}", path);
    if (S_ISDIR(status.st_mode)) {
      const sys::Fd child = TRY(archive::open_entry(dir, name, O_RDONLY | O_DIRECTORY));
      return add_directory(child, status, path, shown);
    }
    if (tree_.excludes(path)) return {};
    if (S_ISLNK(status.st_mode)) {
      header(status, shown, TRY(archive::link_target(dir, name)));
      return {};
    }
    if (!S_ISREG(status.st_mode)) {
      header(status, shown, fmt::format("{}", status.st_rdev));
      return {};
    }
    return add_file(TRY(archive::open_entry(dir, name, O_RDONLY)), status, shown);
  }

  Result<void> add_file(const sys::Fd& file, const struct stat& status, const std::string& shown) {
    header(status, shown,
           TRY_CONTEXT(digest_content(file, static_cast<std::uint64_t>(status.st_size)), "{}", shown));
    return {};
  }

  Result<void> add_directory(const sys::Fd& dir, const struct stat& status, const std::string& path,
                             const std::string& shown) {
    const bool hidden = path != "." && tree_.excludes(path);
    if (hidden && !tree_.ignore->has_exceptions()) return {};
    if (!hidden) header(status, shown, "");
    for (const std::string& name : TRY(archive::entries_of(dir)))
      TRY(add(dir, name, below(path, name), shown.empty() ? name : shown + "/" + name));
    return {};
  }

  std::string finish() { return std::string(hasher_.finish().hex()); }

 private:
  void header(const struct stat& status, const std::string& shown, std::string_view content) {
    const bool owners = !tree_.context;
    hasher_.update(fmt::format("{}:{} {:o} {} {} {}:{}\n", shown.size(), shown, status.st_mode,
                               owners ? status.st_uid : 0, owners ? status.st_gid : 0, content.size(),
                               content));
  }

  const FileTree& tree_;
  spec::Hasher hasher_;
};

}  // namespace

Result<std::vector<FoundSource>> find_sources(const FileTree& tree, const std::vector<std::string>& sources,
                                              std::string_view instruction) {
  std::vector<FoundSource> found;
  for (const std::string& source : sources) {
    if (!has_wildcards(source)) {
      found.push_back(TRY(find_plain(tree, source, instruction)));
      continue;
    }
    const std::string text = strip_root(source);
    const Pattern pattern =
        TRY_CONTEXT(Pattern::compile(text, Pattern::Style::File), "{} failed", instruction);
    TRY(PatternWalk(tree, pattern, found)
            .walk(".", static_cast<int>(std::count(text.begin(), text.end(), '/'))));
  }
  if (found.empty() && !sources.empty())
    return fail(Kind::InvalidArgument, "{} failed: no source files were specified", instruction);
  return found;
}

Result<std::string> digest_source(const FileTree& tree, const FoundSource& source) {
  TreeDigest digest(tree);
  const sys::Fd file = TRY(sys::open_in_root(tree.root, source.path,
                                             O_RDONLY | O_NONBLOCK | (source.directory ? O_DIRECTORY : 0)));
  struct stat status = {};
  if (fstat(file.get(), &status) != 0) return fail_errno("stat {}", source.path);
  if (source.directory) {
    status.st_mode = S_IFDIR;  // only what is in it is copied
    TRY(digest.add_directory(file, status, source.path, ""));
    return "dir:" + digest.finish();
  }
  TRY(digest.add_file(file, status, source.name));
  return "file:" + digest.finish();
}

std::string combine_digests(const std::vector<std::string>& digests) {
  if (digests.size() == 1) return digests[0];
  return fmt::format("multi:{}", spec::Digest::of(join(digests, ",")).hex());
}

}  // namespace skiff::build
