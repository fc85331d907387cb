#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/ids.h"
#include "registry/server/storage.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::registry::server {
namespace {

constexpr std::size_t kPieceSize = 256 << 10;
/// Folders that become empty are removed while others are made: who loses tries again.
constexpr int kTries = 10;

Time time_of(const struct stat& status) {
  return Time(std::chrono::seconds(status.st_mtim.tv_sec) + std::chrono::nanoseconds(status.st_mtim.tv_nsec));
}

/// mkdir -p that survives the loss of power.
Result<void> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) == 0) return sys::sync_directory(std::string(sys::dir_name(path)));
  if (errno == EEXIST) return {};
  if (errno != ENOENT) return fail_errno("mkdir {}", path);
  TRY(make_folder(std::string(sys::dir_name(path))));
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return fail_errno("mkdir {}", path);
  return sys::sync_directory(std::string(sys::dir_name(path)));
}

/// Renames a synced file to `target` so that it is there for good.
Result<void> publish(const std::string& from, const std::string& target) {
  const std::string folder(sys::dir_name(target));
  for (int i = 0; ::rename(from.c_str(), target.c_str()) != 0; ++i) {
    if (errno != ENOENT || i == kTries) return fail_errno("rename {} to {}", from, target);
    TRY(make_folder(folder));
  }
  auto synced = sys::sync_directory(folder);
  // Gone again already: somebody removed the object, which is then as good as never there.
  if (!synced.ok() && synced.error().kind() == Kind::NotFound) return {};
  return synced;
}

Result<void> copy_bytes(int file, const std::string& path, std::uint64_t first, std::uint64_t length,
                        const ByteSink& sink) {
  std::string piece(static_cast<std::size_t>(std::min<std::uint64_t>(length, kPieceSize)), '\0');
  while (length > 0) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(length, piece.size()));
    const ssize_t count = ::pread(file, piece.data(), most, static_cast<off_t>(first));
    if (count < 0) return fail_errno("read {}", path);
    if (count == 0) return fail(Kind::DataLoss, "{} is shorter than it was", path);
    TRY(sink(std::string_view(piece).substr(0, static_cast<std::size_t>(count))));
    first += static_cast<std::uint64_t>(count);
    length -= static_cast<std::uint64_t>(count);
  }
  return {};
}

Error not_found(const std::string& path) { return fail(Kind::NotFound, "{}: not found", path); }

class DiskIncoming final : public Incoming {
 public:
  DiskIncoming(std::string path, sys::Fd file, std::uint64_t size, const std::string& root)
      : path_(std::move(path)), file_(std::move(file)), size_(size), root_(root) {}

  std::uint64_t size() const override { return size_; }

  Result<void> append(std::string_view bytes) override {
    const auto written = sys::write_all(file_, bytes);
    if (written.ok()) {
      size_ += bytes.size();
      return {};
    }
    // Half a piece would stand between what was counted and what comes next.
    if (::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) return fail_errno("truncate {}", path_);
    return written;
  }

  Result<void> suspend() override { return {}; }

  Result<void> read(std::uint64_t first, std::uint64_t length, const ByteSink& sink) override {
    return copy_bytes(file_.get(), path_, first, length, sink);
  }

  Result<void> commit(const std::string& key) override {
    if (::fsync(file_.get()) != 0) return fail_errno("fsync {}", path_);
    return publish(path_, root_ + "/" + key);
  }

 private:
  const std::string path_;
  const sys::Fd file_;
  std::uint64_t size_;
  const std::string& root_;
};

class DiskStorage final : public Storage {
 public:
  explicit DiskStorage(std::string root)
      : root_(std::move(root)), incoming_(root_ + "/incoming"), temporary_(root_ + "/tmp") {}

  Result<void> prepare() {
    TRY(sys::make_directories(incoming_, 0755));
    TRY(sys::make_directories(temporary_, 0755));
    lock_ = TRY(sys::open_file(root_ + "/lock", O_RDWR | O_CREAT, 0600));
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
      return fail(Kind::Conflict, "another registry uses {}", root_);
    // Nobody else works in this root, so what stands here was left by a crash.
    for (const auto& name : TRY(sys::list_directory(temporary_))) {
      const std::string path = temporary_ + "/" + name;
      if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove {}", path);
    }
    return {};
  }

  Result<std::string> read(const std::string& key) override { return sys::read_file(path_of(key)); }

  Result<void> write(const std::string& key, std::string_view bytes) override {
    const std::string temporary = temporary_ + "/" + random_hex(8);
    const auto file = TRY(sys::open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0644));
    auto written = fill(file, temporary, bytes);
    if (written.ok()) written = publish(temporary, path_of(key));
    if (!written.ok()) ::unlink(temporary.c_str());
    return written;
  }

  Result<Info> stat(const std::string& key) override {
    struct stat status {};
    const std::string path = path_of(key);
    if (::stat(path.c_str(), &status) != 0) return absent_or_error("stat", path);
    if (!S_ISREG(status.st_mode)) return not_found(path);
    return Info{static_cast<std::uint64_t>(status.st_size), time_of(status)};
  }

  Result<void> touch(const std::string& key) override {
    const std::string path = path_of(key);
    if (::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) != 0) return absent_or_error("touch", path);
    return {};
  }

  Result<void> remove(const std::string& key) override {
    const std::string path = path_of(key);
    if (::unlink(path.c_str()) != 0) return absent_or_error("remove", path);
    std::string folder(sys::dir_name(path));
    while (folder.size() > root_.size() && ::rmdir(folder.c_str()) == 0) folder = sys::dir_name(folder);
    auto synced = sys::sync_directory(folder);
    if (!synced.ok() && synced.error().kind() == Kind::NotFound) return {};
    return synced;
  }

  Result<Listing> list(const std::string& folder) override;
  Result<Content> open(const std::string& key) override;

  Result<std::unique_ptr<Incoming>> create_incoming(const std::string& key) override {
    return open_incoming(key, O_CREAT | O_EXCL);
  }
  Result<std::unique_ptr<Incoming>> open_incoming(const std::string& key) override {
    return open_incoming(key, 0);
  }
  Result<void> remove_incoming(const std::string& key) override {
    const std::string path = incoming_ + "/" + key;
    if (::unlink(path.c_str()) != 0) return absent_or_error("remove", path);
    return {};
  }
  Result<std::vector<std::pair<std::string, Time>>> list_incoming() override {
    std::vector<std::pair<std::string, Time>> out;
    for (const auto& name : TRY(sys::list_directory(incoming_))) {
      struct stat status {};
      if (::stat((incoming_ + "/" + name).c_str(), &status) == 0) out.emplace_back(name, time_of(status));
    }
    return out;
  }

 private:
  std::string path_of(const std::string& key) const { return root_ + "/" + key; }

  static Error absent_or_error(std::string_view what, const std::string& path) {
    const int code = errno;
    if (code == ENOENT || code == ENOTDIR) return not_found(path);
    return Error::from_errno(fmt::format("{} {}", what, path), code);
  }

  static Result<void> fill(const sys::Fd& file, const std::string& path, std::string_view bytes) {
    TRY(sys::write_all(file, bytes));
    if (::fsync(file.get()) != 0) return fail_errno("fsync {}", path);
    return {};
  }

  Result<std::unique_ptr<Incoming>> open_incoming(const std::string& key, int flags) {
    std::string path = incoming_ + "/" + key;
    sys::Fd file(::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | flags, 0644));
    if (!file) return absent_or_error("open", path);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return fail_errno("stat {}", path);
    return std::make_unique<DiskIncoming>(std::move(path), std::move(file),
                                          static_cast<std::uint64_t>(status.st_size), root_);
  }

  const std::string root_;
  const std::string incoming_;
  const std::string temporary_;
  sys::Fd lock_;
};

Result<Storage::Listing> DiskStorage::list(const std::string& folder) {
  const std::string path = path_of(folder);
  auto names = sys::list_directory(path);
  if (!names.ok() && (names.error().kind() == Kind::NotFound || names.error().code() == ENOTDIR))
    return Listing{};
  Listing out;
  for (auto& name : TRY(std::move(names))) {
    struct stat status {};
    if (::stat((path + "/" + name).c_str(), &status) != 0) continue;  // removed meanwhile
    (S_ISDIR(status.st_mode) ? out.folders : out.objects).push_back(std::move(name));
  }
  return out;
}

Result<Content> DiskStorage::open(const std::string& key) {
  const std::string path = path_of(key);
  Content content;
  content.file = sys::Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!content.file) return absent_or_error("open", path);
  struct stat status {};
  if (::fstat(content.file.get(), &status) != 0) return fail_errno("stat {}", path);
  content.size = static_cast<std::uint64_t>(status.st_size);
  content.copy = [fd = content.file.get(), path](std::uint64_t first, std::uint64_t length,
                                                 const ByteSink& sink) {
    return copy_bytes(fd, path, first, length, sink);
  };
  return content;
}

}  // namespace

Result<std::unique_ptr<Storage>> open_disk_storage(const std::string& root) {
  auto storage = std::make_unique<DiskStorage>(root);
  TRY(storage->prepare());
  return storage;
}

}  // namespace skiff::registry::server
