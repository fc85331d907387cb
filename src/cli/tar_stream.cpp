#include "cli/tar_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <map>

#include "base/strings.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::cli {

namespace {
constexpr std::size_t kPiece = 256 << 10;
constexpr std::size_t kBlock = 512;
}  // namespace

TreeArchive::TreeArchive(std::string path, std::string top)
    : writer_([this](std::string_view bytes) -> Result<void> {
        buffer_ += bytes;
        return {};
      }) {
  pending_.push_back({std::move(path), std::move(top)});
}

Result<void> TreeArchive::add(const Item& item) {
  struct stat info {};
  if (::lstat(item.path.c_str(), &info) != 0) return fail_errno("lstat {}", item.path);
  archive::Entry entry;
  entry.path = item.name;
  entry.mode = info.st_mode & 07777;
  entry.uid = info.st_uid;
  entry.gid = info.st_gid;
  entry.mtime = info.st_mtim;
  if (S_ISDIR(info.st_mode)) {
    entry.type = archive::Entry::Type::Directory;
    TRY(writer_.header(entry));
    auto names = TRY(sys::list_directory(item.path));
    for (auto name = names.rbegin(); name != names.rend(); ++name)
      pending_.push_back({item.path + "/" + *name, item.name + "/" + *name});
    return {};
  }
  if (S_ISLNK(info.st_mode)) {
    char target[PATH_MAX];
    const ssize_t size = ::readlink(item.path.c_str(), target, sizeof target);
    if (size < 0) return fail_errno("readlink {}", item.path);
    entry.type = archive::Entry::Type::Symlink;
    entry.link.assign(target, static_cast<std::size_t>(size));
    return writer_.header(entry);
  }
  if (S_ISREG(info.st_mode)) {
    file_ = TRY(sys::open_file(item.path, O_RDONLY));
    entry.size = left_ = static_cast<std::uint64_t>(info.st_size);
    if (left_ == 0) file_.reset();
    return writer_.header(entry);
  }
  if (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode)) {
    entry.type =
        S_ISCHR(info.st_mode) ? archive::Entry::Type::CharacterDevice : archive::Entry::Type::BlockDevice;
    entry.major = major(info.st_rdev);
    entry.minor = minor(info.st_rdev);
    return writer_.header(entry);
  }
  if (S_ISFIFO(info.st_mode)) {
    entry.type = archive::Entry::Type::Fifo;
    return writer_.header(entry);
  }
  return {};  // sockets have no place in an archive
}

Result<void> TreeArchive::step() {
  if (file_) {
    std::string piece(std::min<std::uint64_t>(kPiece, left_), '\0');
    const std::size_t got = TRY(sys::read_some(file_, piece.data(), piece.size()));
    TRY(writer_.data(std::string_view(piece).substr(0, got)));
    left_ -= got;
    if (got == 0) TRY(writer_.fill());
    if (got == 0 || left_ == 0) file_.reset();
    return {};
  }
  if (pending_.empty()) {
    finished_ = true;
    return writer_.finish();
  }
  const Item item = std::move(pending_.back());
  pending_.pop_back();
  return add(item);
}

Result<std::size_t> TreeArchive::read(char* buffer, std::size_t size) {
  while (taken_ == buffer_.size() && !finished_) {
    buffer_.clear();
    taken_ = 0;
    TRY(step());
  }
  const std::size_t count = std::min(size, buffer_.size() - taken_);
  std::memcpy(buffer, buffer_.data() + taken_, count);
  taken_ += count;
  return count;
}

namespace {

struct Header {
  std::string name, link;
  char type = '0';
  mode_t mode = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  std::uint64_t size = 0;
  std::int64_t mtime = 0;
};

class Unpacker {
 public:
  Unpacker(const TarInput& input, sys::Fd root, std::string from, std::string to, bool owners)
      : input_(input), root_(std::move(root)), from_(std::move(from)), to_(std::move(to)), owners_(owners) {}

  Result<void> run() {
    while (true) {
      char block[kBlock];
      if (!TRY(fill(block, kBlock))) return finish();
      if (std::all_of(block, block + kBlock, [](char c) { return c == 0; })) return finish();
      Header header = TRY(parse(block));
      if (header.type == 'x' || header.type == 'g' || header.type == 'L' || header.type == 'K') {
        if (header.size > (1 << 20)) return Error(Kind::InvalidArgument, "archive/tar: header is too long");
        const std::string text = TRY(content(header.size));
        if (header.type == 'x') read_pax(text);
        if (header.type == 'L') pax_["path"] = text.c_str();
        if (header.type == 'K') pax_["linkpath"] = text.c_str();
        continue;
      }
      apply_pax(header);
      TRY(place(header));
    }
  }

 private:
  /// Reads exactly `size` bytes; false at a clean end.
  Result<bool> fill(char* out, std::size_t size) {
    std::size_t have = 0;
    while (have < size) {
      if (taken_ == buffer_.size()) {
        buffer_.resize(kPiece);
        buffer_.resize(TRY(input_(buffer_.data(), kPiece)));
        taken_ = 0;
        if (buffer_.empty()) {
          if (have == 0) return false;
          return Error(Kind::DataLoss, "unexpected EOF");
        }
      }
      const std::size_t count = std::min(size - have, buffer_.size() - taken_);
      std::memcpy(out + have, buffer_.data() + taken_, count);
      taken_ += count;
      have += count;
    }
    return true;
  }

  Result<std::string> content(std::uint64_t size) {
    std::string text((size + kBlock - 1) / kBlock * kBlock, '\0');
    if (size > 0 && !TRY(fill(text.data(), text.size()))) return Error(Kind::DataLoss, "unexpected EOF");
    text.resize(size);
    return text;
  }

  static std::uint64_t number(const char* field, std::size_t size) {
    std::uint64_t value = 0;
    if (field[0] & '\x80') {  // base 256
      for (std::size_t i = 0; i < size; ++i)
        value = value << 8 | (static_cast<unsigned char>(field[i]) & (i == 0 ? 0x7f : 0xff));
      return value;
    }
    for (std::size_t i = 0; i < size; ++i)
      if (field[i] >= '0' && field[i] <= '7') value = value * 8 + static_cast<std::uint64_t>(field[i] - '0');
    return value;
  }
  static std::string field_text(const char* field, std::size_t size) {
    return {field, ::strnlen(field, size)};
  }

  static Result<Header> parse(const char* block) {
    Header header;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i)
      sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
    if (sum != number(block + 148, 8)) return Error(Kind::DataLoss, "archive/tar: invalid tar header");
    header.name = field_text(block, 100);
    header.mode = static_cast<mode_t>(number(block + 100, 8)) & 07777;
    header.uid = static_cast<uid_t>(number(block + 108, 8));
    header.gid = static_cast<gid_t>(number(block + 116, 8));
    header.size = number(block + 124, 12);
    header.mtime = static_cast<std::int64_t>(number(block + 136, 12));
    header.type = block[156] == 0 ? '0' : block[156];
    header.link = field_text(block + 157, 100);
    if (std::memcmp(block + 257, "ustar\0", 6) == 0 && block[345] != 0)
      header.name = field_text(block + 345, 155) + "/" + header.name;
    return header;
  }

  void read_pax(std::string_view text) {
    while (!text.empty()) {
      const auto [length, rest] = cut(text, ' ');
      const auto size = parse_uint(length);
      if (!rest || !size || *size > text.size() || *size < length.size() + 2) return;
      const auto [key, value] = cut(text.substr(length.size() + 1, *size - length.size() - 2), '=');
      if (value) pax_[std::string(key)] = *value;
      text.remove_prefix(*size);
    }
  }

  void apply_pax(Header& header) {
    for (const auto& [key, value] : pax_) {
      const auto number = parse_double(value).value_or(0);
      if (key == "path")
        header.name = value;
      else if (key == "linkpath")
        header.link = value;
      else if (key == "size")
        header.size = parse_uint(value).value_or(header.size);
      else if (key == "mtime")
        header.mtime = static_cast<std::int64_t>(number);
      else if (key == "uid")
        header.uid = static_cast<uid_t>(parse_uint(value).value_or(header.uid));
      else if (key == "gid")
        header.gid = static_cast<gid_t>(parse_uint(value).value_or(header.gid));
    }
    pax_.clear();
  }

  /// Where an entry goes, relative to the root; empty for the root itself.
  std::string renamed(const std::string& name) const {
    std::string path = sys::clean_path("/" + name).substr(1);
    if (from_ == "." && to_ != ".") return path.empty() ? to_ : to_ + "/" + path;
    if (from_ == to_ || (path != from_ && !path.starts_with(from_ + "/"))) return path;
    return to_ + path.substr(from_.size());
  }

  Result<void> place(const Header& header) {
    const std::string path = renamed(header.name);
    if (path.empty() || path == ".") return skip(header);
    const std::string parent(sys::dir_name(path));
    const std::string name(sys::base_name(path));
    const sys::Fd directory = TRY(sys::make_directories_in_root(root_, parent.empty() ? "." : parent));
    switch (header.type) {
      case '5':
        return make_directory(directory, path, name, header);
      case '2':
        clear(directory, name);
        if (::symlinkat(header.link.c_str(), directory.get(), name.c_str()) != 0)
          return fail_errno("symlink {}", path);
        return own(directory, name, header);
      case '1':
        return hard_link(directory, path, name, header);
      case '3':
      case '4':
      case '6':
        return skip(header);  // a copied device is of no use here
      default:
        return write_file(directory, path, name, header);
    }
  }

  static void clear(const sys::Fd& directory, const std::string& name) {
    ::unlinkat(directory.get(), name.c_str(), 0);
  }

  Result<void> make_directory(const sys::Fd& directory, const std::string& path, const std::string& name,
                              const Header& header) {
    if (::mkdirat(directory.get(), name.c_str(), 0700) != 0) {
      struct stat info {};
      if (errno != EEXIST) return fail_errno("mkdir {}", path);
      if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
        return fail_errno("lstat {}", path);
      if (!S_ISDIR(info.st_mode) && !S_ISLNK(info.st_mode))
        return fail(Kind::Conflict, "cannot overwrite non-directory {} with directory", quote(path));
    }
    // Modes and times come at the end, when nothing is written below any more.
    directories_.emplace_back(path, header);
    return {};
  }

  Result<void> hard_link(const sys::Fd& directory, const std::string& path, const std::string& name,
                         const Header& header) {
    const std::string target = renamed(header.link);
    const sys::Fd from = TRY(sys::open_in_root(root_, target, O_PATH | O_NOFOLLOW));
    clear(directory, name);
    if (::linkat(AT_FDCWD, sys::fd_path(from).c_str(), directory.get(), name.c_str(), AT_SYMLINK_FOLLOW) != 0)
      return fail_errno("link {}", path);
    return {};
  }

  Result<void> write_file(const sys::Fd& directory, const std::string& path, const std::string& name,
                          const Header& header) {
    struct stat info {};
    if (::fstatat(directory.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
      if (S_ISDIR(info.st_mode))
        return fail(Kind::Conflict, "cannot overwrite directory {} with non-directory", quote(path));
      clear(directory, name);
    }
    const sys::Fd file = TRY(sys::open_at(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    std::string piece;
    for (std::uint64_t left = header.size; left > 0;) {
      if (taken_ == buffer_.size()) {
        buffer_.resize(kPiece);
        buffer_.resize(TRY(input_(buffer_.data(), kPiece)));
        taken_ = 0;
        if (buffer_.empty()) return Error(Kind::DataLoss, "unexpected EOF");
      }
      const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer_.size() - taken_));
      TRY(sys::write_all(file, std::string_view(buffer_).substr(taken_, count)));
      taken_ += count;
      left -= count;
    }
    char padding[kBlock];
    if (const std::size_t rest = header.size % kBlock; rest > 0) TRY(fill(padding, kBlock - rest));
    if (owners_) (void)!::fchown(file.get(), header.uid, header.gid);
    if (::fchmod(file.get(), header.mode) != 0) return fail_errno("chmod {}", path);
    const timespec times[2] = {{0, UTIME_OMIT}, {header.mtime, 0}};
    ::futimens(file.get(), times);
    return {};
  }

  Result<void> skip(const Header& header) {
    if (header.type == '0' || header.type == '7') (void)TRY(content(header.size));
    return {};
  }

  Result<void> own(const sys::Fd& directory, const std::string& name, const Header& header) const {
    if (owners_)
      (void)!::fchownat(directory.get(), name.c_str(), header.uid, header.gid, AT_SYMLINK_NOFOLLOW);
    return {};
  }

  /// Directories get their modes and times, the deepest first; the rest of the stream is read.
  Result<void> finish() {
    for (auto entry = directories_.rbegin(); entry != directories_.rend(); ++entry) {
      const auto& [path, header] = *entry;
      auto opened = sys::open_in_root(root_, path, O_RDONLY | O_DIRECTORY);
      if (!opened.ok()) continue;
      if (owners_) (void)!::fchown(opened->get(), header.uid, header.gid);
      ::fchmod(opened->get(), header.mode);
      const timespec times[2] = {{0, UTIME_OMIT}, {header.mtime, 0}};
      ::futimens(opened->get(), times);
    }
    do {
      buffer_.resize(kPiece);
      buffer_.resize(TRY(input_(buffer_.data(), kPiece)));
    } while (!buffer_.empty());
    return {};
  }

  const TarInput& input_;
  sys::Fd root_;
  std::string from_, to_;
  bool owners_;
  std::string buffer_;
  std::size_t taken_ = 0;
  std::map<std::string, std::string> pax_;
  std::vector<std::pair<std::string, Header>> directories_;
};

}  // namespace

Result<void> unpack_tar(const TarInput& input, const std::string& directory, const std::string& from,
                        const std::string& to, bool owners) {
  sys::Fd root = TRY(sys::open_directory(directory));
  return Unpacker(input, std::move(root), from, to, owners).run();
}

}  // namespace skiff::cli
