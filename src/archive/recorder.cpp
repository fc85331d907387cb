#include "archive/recorder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "archive/tree.h"
#include "sys/file.h"

namespace skiff::archive {

namespace {

/// The reader of a tar looks ahead by a header, or by the extended headers before one. Bytes further back are
/// those of entries whose contents nobody wanted.
constexpr std::size_t kMostKept = 4 << 20;

}  // namespace

Result<std::string_view> Recorder::next() {
  // The view that was given is gone after this call; most of it was spoken of already.
  kept_ += current_;
  current_ = {};
  if (kept_.size() > kMostKept) TRY(decide(decided_ + kept_.size()));
  current_ = TRY(inner_.next());
  return current_;
}

/// Everything before `upto` that is not in the recipe yet goes into it as it is.
Result<void> Recorder::decide(std::uint64_t upto) {
  std::uint64_t left = upto - decided_;
  const std::size_t first = std::min<std::uint64_t>(left, kept_.size());
  if (first > 0) {
    TRY(writer_.literal(std::string_view(kept_).substr(0, first)));
    kept_.erase(0, first);
    decided_ += first;
    left -= first;
  }
  const std::size_t second = std::min<std::uint64_t>(left, current_.size());
  if (second > 0) TRY(writer_.literal(current_.substr(0, second)));
  current_.remove_prefix(second);
  decided_ += second;
  return {};
}

void Recorder::file(std::string path, ino_t inode) {
  path_ = path.size() <= kRecipePath ? std::move(path) : "";
  inode_ = inode;
  named_ = false;
}

Result<void> Recorder::data(std::uint64_t position, std::string_view bytes, std::uint64_t offset) {
  if (path_.empty() || position < decided_) return {};
  TRY(decide(position));
  if (decided_ != position) return {};
  // The reader's place is believed only where the bytes are the same.
  const std::size_t first = std::min(bytes.size(), kept_.size());
  const std::size_t second = bytes.size() - first;
  const bool same =
      std::string_view(kept_).substr(0, first) == bytes.substr(0, first) && second <= current_.size() &&
      (current_.data() == bytes.data() + first || current_.substr(0, second) == bytes.substr(first));
  if (!same) return {};
  if (!std::exchange(named_, true)) numbers_[inode_] = TRY(writer_.file(path_));
  TRY(writer_.contents(offset, bytes.size()));
  kept_.erase(0, first);
  current_.remove_prefix(second);
  decided_ += bytes.size();
  return {};
}

Result<void> Recorder::removing(const sys::Fd& dir, const std::string& name) {
  if (numbers_.empty()) return {};
  struct stat status {};
  if (::fstatat(dir.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno("stat");
  }
  if (!S_ISREG(status.st_mode)) return {};
  const auto found = numbers_.find(status.st_ino);
  if (found == numbers_.end()) return {};
  TRY_CONTEXT(
      save(TRY(open_entry(dir, name, O_RDONLY)), found->second, static_cast<std::uint64_t>(status.st_size)),
      "recipe");
  // Another link to the file may stay, but under a path that the recipe does not know.
  numbers_.erase(found);
  return {};
}

/// The parts of the file that are no holes: a sparse file may be as large as a number can say.
Result<void> Recorder::save(const sys::Fd& file, std::uint64_t number, std::uint64_t size) {
  std::string buffer(std::min<std::uint64_t>(size, kRecipeBlock), '\0');
  const auto end = static_cast<off_t>(size);
  for (off_t at = 0; at < end;) {
    at = ::lseek(file.get(), at, SEEK_DATA);
    if (at < 0 && errno == ENXIO) break;
    if (at < 0) return fail_errno("seek");
    off_t hole = ::lseek(file.get(), at, SEEK_HOLE);
    if (hole < 0) return fail_errno("seek");
    if (::lseek(file.get(), at, SEEK_SET) < 0) return fail_errno("seek");
    while (at < hole) {
      const auto wanted = std::min<std::uint64_t>(static_cast<std::uint64_t>(hole - at), buffer.size());
      const std::size_t count = TRY(sys::read_some(file, buffer.data(), wanted));
      if (count == 0) return {};
      TRY(writer_.replaced(number, static_cast<std::uint64_t>(at), {buffer.data(), count}));
      at += static_cast<off_t>(count);
    }
  }
  return {};
}

Result<void> Recorder::finish() {
  while (!TRY(next()).empty()) {
  }
  TRY(decide(decided_ + kept_.size()));
  return writer_.finish();
}

}  // namespace skiff::archive
