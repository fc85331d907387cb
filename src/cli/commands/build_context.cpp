#include "cli/commands/build_context.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::cli {

namespace {

constexpr std::size_t kPiece = 64 << 10;

bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

archive::Entry entry_of(const std::string& path, const struct stat& info) {
  archive::Entry entry;
  entry.path = path;
  entry.mode = info.st_mode & 07777;
  entry.mtime = info.st_mtim;
  // Owners are root's, whoever holds the files here.
  return entry;
}

/// Says Docker's words of what the caller may not read; any other error stays as it is.
template <typename T>
Result<T> readable(Result<T> result, std::string_view what, const std::string& path) {
  if (result.ok() || result.error().kind() != Kind::Forbidden) return result;
  return fail(Kind::Forbidden, "error checking context: {} '{}'", what, path);
}

}  // namespace

ContextArchive::ContextArchive()
    : writer_([this](std::string_view bytes) -> Result<void> {
        buffer_ += bytes;
        return {};
      }) {}

ContextArchive::ContextArchive(std::string directory, build::IgnoreRules rules, std::vector<std::string> keep)
    : ContextArchive() {
  directory_ = std::move(directory);
  rules_ = std::move(rules);
  keep_ = std::move(keep);
  pending_.emplace_back();
}

void ContextArchive::add_file(std::string name, std::string content) {
  replaced_.push_back(name);
  files_.emplace_back(std::move(name), std::move(content));
}

bool ContextArchive::wanted(const std::string& path) const {
  return contains(keep_, path) || !rules_.excludes(path);
}

Result<void> ContextArchive::enter(const std::string& path) {
  const std::string full = path.empty() ? directory_ : directory_ + "/" + path;
  auto names = TRY(readable(sys::list_directory(full), "can't stat", full));
  for (auto name = names.rbegin(); name != names.rend(); ++name)
    pending_.push_back(path.empty() ? *name : path + "/" + *name);
  return {};
}

Result<void> ContextArchive::add(const std::string& path) {
  if (path.empty()) return enter(path);
  if (contains(replaced_, path)) return {};
  const std::string full = directory_ + "/" + path;
  struct stat info {};
  if (::lstat(full.c_str(), &info) != 0) {
    if (errno == ENOENT) return {};  // removed meanwhile
    return fail_errno("lstat {}", full);
  }
  const bool keep = wanted(path);
  if (S_ISDIR(info.st_mode)) {
    const bool below = std::any_of(keep_.begin(), keep_.end(),
                                   [&](const auto& name) { return name.starts_with(path + "/"); });
    if (!keep && !rules_.has_exceptions() && !below) return {};
    if (keep) {
      archive::Entry entry = entry_of(path, info);
      entry.type = archive::Entry::Type::Directory;
      TRY(writer_.header(entry));
    }
    return enter(path);
  }
  if (!keep) return {};
  archive::Entry entry = entry_of(path, info);
  if (S_ISLNK(info.st_mode)) {
    char target[PATH_MAX];
    const ssize_t length = ::readlink(full.c_str(), target, sizeof target);
    if (length < 0) return fail_errno("readlink {}", full);
    entry.type = archive::Entry::Type::Symlink;
    entry.link.assign(target, static_cast<std::size_t>(length));
  } else if (S_ISREG(info.st_mode)) {
    file_ = TRY(readable(sys::open_file(full, O_RDONLY | O_NOFOLLOW), "no permission to read from", full));
    entry.size = static_cast<std::uint64_t>(info.st_size);
    left_ = entry.size;
  } else if (S_ISFIFO(info.st_mode)) {
    entry.type = archive::Entry::Type::Fifo;
  } else if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    entry.type =
        S_ISCHR(info.st_mode) ? archive::Entry::Type::CharacterDevice : archive::Entry::Type::BlockDevice;
    entry.major = major(info.st_rdev);
    entry.minor = minor(info.st_rdev);
  } else {
    return {};  // a socket has no place in an archive
  }
  return writer_.header(entry);
}

/// Puts the next piece of the archive into the buffer.
Result<void> ContextArchive::step() {
  if (file_) {
    char piece[kPiece];
    const std::size_t want = std::min<std::uint64_t>(left_, sizeof piece);
    const std::size_t got = want == 0 ? 0 : TRY(sys::read_some(file_, piece, want));
    left_ -= got;
    if (got > 0) return writer_.data({piece, got});
    file_.reset();
    return writer_.fill();
  }
  if (!files_.empty()) {
    const auto [name, content] = files_.front();
    files_.erase(files_.begin());
    archive::Entry entry;
    entry.path = name;
    entry.mode = 0600;
    entry.size = content.size();
    TRY(writer_.header(entry));
    if (!content.empty()) TRY(writer_.data(content));
    return {};
  }
  if (!pending_.empty()) {
    const std::string path = std::move(pending_.back());
    pending_.pop_back();
    return add(path);
  }
  finished_ = true;
  return writer_.finish();
}

Result<std::size_t> ContextArchive::read(char* buffer, std::size_t size) {
  while (taken_ == buffer_.size() && !finished_) {
    buffer_.clear();
    taken_ = 0;
    TRY(step());
  }
  const std::size_t got = std::min(size, buffer_.size() - taken_);
  std::memcpy(buffer, buffer_.data() + taken_, got);
  taken_ += got;
  size_ += got;
  return got;
}

bool is_archive(std::string_view first) {
  using namespace std::string_view_literals;
  for (const auto magic : {"\x1f\x8b"sv, "BZh"sv,
                           "\xfd"
                           "7zXZ\0"sv,
                           "\x28\xb5\x2f\xfd"sv})
    if (first.starts_with(magic)) return true;
  if (first.size() < 512) return false;
  // The checksum of a tar header counts its own eight bytes as blanks.
  unsigned sum = 8 * ' ';
  for (std::size_t i = 0; i < 512; ++i)
    if (i < 148 || i >= 156) sum += static_cast<unsigned char>(first[i]);
  unsigned noted = 0;
  for (const char c : first.substr(148, 8))
    if (c >= '0' && c <= '7') noted = noted * 8 + static_cast<unsigned>(c - '0');
  return sum == noted;
}

}  // namespace skiff::cli
