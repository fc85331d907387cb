#include "content/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

#include "base/ids.h"
#include "sys/file.h"

namespace skiff::content {

namespace {

using spec::Digest;

/// read() is for configs and manifests; whoever wants more opens the blob.
constexpr std::size_t kReadLimit = 64 << 20;
constexpr std::size_t kPieceSize = 1 << 20;
constexpr std::time_t kPartialLife = 7 * 24 * 3600;

class FileIngest final : public Store::Ingest {
 public:
  FileIngest(std::string path, sys::Fd file, const std::string& blobs)
      : path_(std::move(path)), file_(std::move(file)), blobs_(blobs) {}
  ~FileIngest() override {
    if (!committed_) ::unlink(path_.c_str());
  }

  Result<void> write(std::string_view bytes) override {
    TRY(sys::write_all(file_, bytes));
    hasher_.update(bytes);
    size_ += bytes.size();
    return {};
  }

  std::uint64_t size() const override { return size_; }

  Result<Digest> commit(const Digest* expected) override {
    if (committed_) return Error(Kind::Internal, "content: an ingest is committed once");
    Digest digest = hasher_.finish();
    if (expected && digest != *expected) {
      return fail(Kind::DataLoss, "content does not match its digest: expected {}, got {} ({} bytes)",
                  expected->to_string(), digest.to_string(), size_);
    }
    const std::string target = blobs_ + "/" + std::string(digest.hex());
    if (::fsync(file_.get()) != 0) return fail_errno("fsync {}", path_);
    if (::rename(path_.c_str(), target.c_str()) != 0) return fail_errno("rename {} to {}", path_, target);
    committed_ = true;
    TRY(sys::sync_directory(blobs_));
    return digest;
  }

 private:
  const std::string path_;
  const sys::Fd file_;
  const std::string& blobs_;
  spec::Hasher hasher_;
  std::uint64_t size_ = 0;
  bool committed_ = false;
};

class FilePartial final : public Store::Partial {
 public:
  FilePartial(std::string path, sys::Fd file, const std::string& blobs)
      : path_(std::move(path)), file_(std::move(file)), blobs_(blobs) {}

  Result<void> open() {
    std::string piece(kPieceSize, '\0');
    while (const std::size_t count = TRY(sys::read_some(file_, piece.data(), piece.size()))) {
      hasher_.update(std::string_view(piece).substr(0, count));
      size_ += count;
    }
    return {};
  }

  std::uint64_t size() const override { return size_; }
  const sys::Fd& file() const override { return file_; }
  spec::Digest digest() override { return hasher_.finish(); }

  Result<void> append(std::string_view bytes) override {
    TRY_CONTEXT(sys::write_all(file_, bytes), "write {}", path_);
    hasher_.update(bytes);
    size_ += bytes.size();
    return {};
  }

  Result<void> clear() override {
    if (::ftruncate(file_.get(), 0) != 0 || ::lseek(file_.get(), 0, SEEK_SET) != 0)
      return fail_errno("empty {}", path_);
    hasher_ = spec::Hasher();
    size_ = 0;
    return {};
  }

  Result<void> keep() override {
    const std::string target = blobs_ + "/" + path_.substr(path_.rfind('/') + 1);
    // It counts as put now, not when its last bytes came.
    if (::futimens(file_.get(), nullptr) != 0) return fail_errno("touch {}", path_);
    if (::fsync(file_.get()) != 0) return fail_errno("fsync {}", path_);
    if (::rename(path_.c_str(), target.c_str()) != 0) return fail_errno("rename {} to {}", path_, target);
    return sys::sync_directory(blobs_);
  }

  void discard() override { ::unlink(path_.c_str()); }

 private:
  const std::string path_;
  const sys::Fd file_;
  const std::string& blobs_;
  spec::Hasher hasher_;
  std::uint64_t size_ = 0;
};

class FileStore final : public Store {
 public:
  explicit FileStore(std::string root)
      : blobs_(root + "/blobs/sha256"), ingests_(root + "/ingest"), partials_(std::move(root) + "/partial") {}

  Result<void> prepare() {
    TRY(sys::make_directories(blobs_, 0711));
    TRY(sys::make_directories(ingests_, 0700));
    TRY(sys::make_directories(partials_, 0700));
    TRY(forget_old_partials());
    // Nothing else works in this root, so what stands here was left by a crash.
    for (const auto& name : TRY(sys::list_directory(ingests_))) {
      const std::string path = ingests_ + "/" + name;
      if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove {}", path);
    }
    return {};
  }

  Result<std::unique_ptr<Ingest>> ingest() override {
    std::string path = ingests_ + "/" + random_hex(8);
    auto file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
    return std::make_unique<FileIngest>(std::move(path), std::move(file), blobs_);
  }

  Result<std::unique_ptr<Partial>> partial(const Digest& digest) override {
    TRY(path_of(digest));
    std::string path = partials_ + "/" + std::string(digest.hex());
    auto file = TRY(sys::open_file(path, O_RDWR | O_CREAT, 0600));
    auto found = std::make_unique<FilePartial>(std::move(path), std::move(file), blobs_);
    TRY(found->open());
    return std::unique_ptr<Partial>(std::move(found));
  }

  Result<Digest> put(std::string_view bytes) override {
    Digest digest = Digest::of(bytes);
    // Read, not only looked for: a damaged copy is replaced by the good bytes at hand.
    if (read(digest).ok()) {
      // Whoever removes what nobody has named yet must see that somebody is about to.
      const std::string path = TRY(path_of(digest));
      if (::utimensat(AT_FDCWD, path.c_str(), nullptr, 0) != 0) return fail_errno("touch {}", path);
      // Whoever put it first may be just before doing that.
      TRY(sys::sync_directory(blobs_));
      return digest;
    }
    auto incoming = TRY(ingest());
    TRY(incoming->write(bytes));
    return incoming->commit(&digest);
  }

  Result<std::string> read(const Digest& digest) override {
    const sys::Fd file = TRY(open_blob(digest));
    auto bytes = TRY_CONTEXT(sys::read_all(file, kReadLimit), "blob {}", digest.to_string());
    if (const Digest found = Digest::of(bytes); found != digest) {
      return fail(Kind::DataLoss, "blob {} is damaged on disk: its {} bytes have the digest {}",
                  digest.to_string(), bytes.size(), found.to_string());
    }
    return bytes;
  }

  Result<sys::Fd> open_blob(const Digest& digest) override {
    const std::string path = TRY(path_of(digest));
    sys::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file && errno == ENOENT) return missing(digest);
    if (!file) return fail_errno("open {}", path);
    return file;
  }

  Result<std::uint64_t> size_of(const Digest& digest) override {
    const std::string path = TRY(path_of(digest));
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
      if (errno == ENOENT) return missing(digest);
      return fail_errno("stat {}", path);
    }
    return static_cast<std::uint64_t>(status.st_size);
  }

  bool contains(const Digest& digest) override {
    const auto path = path_of(digest);
    return path && sys::exists(*path);
  }

  Result<void> remove(const Digest& digest) override {
    const std::string path = TRY(path_of(digest));
    if (::unlink(path.c_str()) != 0) {
      if (errno == ENOENT) return missing(digest);
      return fail_errno("remove {}", path);
    }
    return {};
  }

  Result<std::vector<BlobFile>> list() override {
    std::vector<BlobFile> found;
    for (const auto& name : TRY(sys::list_directory(blobs_))) {
      auto digest = Digest::parse("sha256:" + name);
      struct stat status {};
      if (!digest || ::stat((blobs_ + "/" + name).c_str(), &status) != 0) continue;
      found.push_back({*std::move(digest), static_cast<std::uint64_t>(status.st_size),
                       Time(std::chrono::seconds(status.st_mtim.tv_sec))});
    }
    return found;
  }

 private:
  static Error missing(const Digest& digest) {
    return fail(Kind::NotFound, "content digest {}: not found", digest.to_string());
  }
  Result<std::string> path_of(const Digest& digest) const {
    if (digest.algorithm() != "sha256")
      return fail(Kind::Unsupported, "content is stored by sha256, not by {}", digest.to_string());
    return blobs_ + "/" + std::string(digest.hex());
  }

  /// What nobody has asked for in a week: the next pull begins anew.
  Result<void> forget_old_partials() {
    for (const auto& name : TRY(sys::list_directory(partials_))) {
      const std::string path = partials_ + "/" + name;
      struct stat status {};
      if (::stat(path.c_str(), &status) != 0) return fail_errno("stat {}", path);
      if (status.st_size > 0 && ::time(nullptr) - status.st_mtime < kPartialLife) continue;
      if (::unlink(path.c_str()) != 0) return fail_errno("remove {}", path);
    }
    return {};
  }

  const std::string blobs_;
  const std::string ingests_;
  const std::string partials_;
};

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& root) {
  auto store = std::make_unique<FileStore>(root);
  TRY(store->prepare());
  return store;
}

}  // namespace skiff::content
