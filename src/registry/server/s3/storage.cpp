#include "registry/server/s3/storage.h"

#include <algorithm>

#include "base/log.h"
#include "registry/server/s3/client.h"

namespace skiff::registry::server {
namespace {

using s3::Client;

/// What is gathered before it goes out: the least that a part of an object may have, and more for large ones,
/// because an object has at most ten thousand parts.
constexpr std::size_t kPiece = 5 << 20;
constexpr std::size_t kLargePiece = 32 << 20;
constexpr int kSmallPieces = 1000;

std::string folder_of(const std::string& id) { return "incoming/" + id + "/"; }

/// Begins an object of parts and completes it; without that nothing is left of it.
class Parts {
 public:
  static Result<std::unique_ptr<Parts>> begin(Client& client, const std::string& key) {
    return std::unique_ptr<Parts>(new Parts(client, key, TRY(client.begin_parts(key))));
  }
  ~Parts() {
    if (done_) return;
    if (const auto aborted = client_.abort_parts(key_, upload_); !aborted.ok())
      log::warning("an upload is left in the object store: {}", aborted.error().message());
  }
  Result<void> put(std::string_view bytes) {
    tags_.push_back(TRY(client_.put_part(key_, upload_, next(), bytes)));
    return {};
  }
  Result<void> copy(const std::string& from) {
    tags_.push_back(TRY(client_.copy_part(key_, upload_, next(), from)));
    return {};
  }
  Result<void> complete() {
    TRY(client_.complete_parts(key_, upload_, tags_));
    done_ = true;
    return {};
  }

 private:
  Parts(Client& client, std::string key, std::string upload)
      : client_(client), key_(std::move(key)), upload_(std::move(upload)) {}
  int next() const { return static_cast<int>(tags_.size()) + 1; }

  Client& client_;
  const std::string key_;
  const std::string upload_;
  std::vector<std::string> tags_;
  bool done_ = false;
};

/// Bytes as objects "incoming/<id>/<number>" one after the other, and those that are not yet enough for one
/// in memory.
class S3Incoming final : public Incoming {
 public:
  S3Incoming(Client& client, std::string id, std::vector<s3::Object> pieces)
      : client_(client), id_(std::move(id)), pieces_(std::move(pieces)) {
    for (const auto& piece : pieces_) stored_ += piece.size;
  }

  std::uint64_t size() const override {
    const MutexLock lock(mutex_);
    return stored_ + buffer_.size();
  }

  Result<void> append(std::string_view bytes) override {
    const MutexLock lock(mutex_);
    buffer_ += bytes;
    const std::size_t enough = pieces_.size() < kSmallPieces ? kPiece : kLargePiece;
    return buffer_.size() < enough ? success() : store();
  }

  Result<void> suspend() override {
    const MutexLock lock(mutex_);
    return store();
  }

  Result<void> read(std::uint64_t first, std::uint64_t length, const ByteSink& sink) override;
  Result<void> commit(const std::string& key) override;

 private:
  Result<void> store() REQUIRES(mutex_);
  Result<void> join_pieces(const std::string& key, const std::vector<s3::Object>& pieces);
  Result<void> recut(Parts& parts);

  Client& client_;
  const std::string id_;
  mutable Mutex mutex_;
  std::vector<s3::Object> pieces_ GUARDED_BY(mutex_);
  std::uint64_t stored_ GUARDED_BY(mutex_) = 0;
  std::string buffer_ GUARDED_BY(mutex_);
};

/// Makes an object of what is in memory. If that fails it stays there.
Result<void> S3Incoming::store() {
  if (buffer_.empty()) return {};
  const std::string key = fmt::format("{}{:08}", folder_of(id_), pieces_.size() + 1);
  TRY(client_.put(key, buffer_));
  pieces_.push_back({key, buffer_.size(), now()});
  stored_ += buffer_.size();
  buffer_.clear();
  return {};
}

Result<void> S3Incoming::read(std::uint64_t first, std::uint64_t length, const ByteSink& sink) {
  std::vector<s3::Object> pieces;
  std::string rest;
  {
    const MutexLock lock(mutex_);
    pieces = pieces_;
    const std::uint64_t end = first + length;
    if (end > stored_) {
      const std::uint64_t from = std::max(first, stored_) - stored_;
      rest = buffer_.substr(from, end - stored_ - from);
    }
  }
  std::uint64_t begin = 0;
  for (const auto& piece : pieces) {
    const std::uint64_t from = std::max(first, begin);
    const std::uint64_t to = std::min(first + length, begin + piece.size);
    if (from < to) TRY(client_.get(piece.key, from - begin, to - from, sink));
    begin += piece.size;
  }
  return rest.empty() ? success() : sink(rest);
}

Result<void> S3Incoming::commit(const std::string& key) {
  TRY(suspend());
  std::vector<s3::Object> pieces;
  {
    const MutexLock lock(mutex_);
    pieces = pieces_;
  }
  if (pieces.empty())
    TRY(client_.put(key, ""));
  else if (pieces.size() == 1)
    TRY(client_.copy(pieces.front().key, key));
  else
    TRY(join_pieces(key, pieces));
  for (const auto& piece : pieces) TRY(client_.remove(piece.key));
  return client_.remove(folder_of(id_) + "0");
}

Result<void> S3Incoming::join_pieces(const std::string& key, const std::vector<s3::Object>& pieces) {
  const auto parts = TRY(Parts::begin(client_, key));
  const bool whole = std::all_of(pieces.begin(), pieces.end() - 1,
                                 [](const s3::Object& piece) { return piece.size >= kPiece; });
  if (whole) {
    for (const auto& piece : pieces) TRY(parts->copy(piece.key));
  } else {
    TRY(recut(*parts));
  }
  return parts->complete();
}

/// A client that sent small chunks has left pieces that are too small for parts. Each part is read before it
/// is sent: no answer of the store waits half read while another request goes to it.
Result<void> S3Incoming::recut(Parts& parts) {
  const std::uint64_t all = size();
  const std::uint64_t enough = all / kSmallPieces > kPiece ? kLargePiece : kPiece;
  for (std::uint64_t first = 0; first < all; first += enough) {
    std::string gathered;
    TRY(read(first, std::min(enough, all - first), [&](std::string_view bytes) {
      gathered += bytes;
      return success();
    }));
    TRY(parts.put(gathered));
  }
  return {};
}

class S3Storage final : public Storage {
 public:
  explicit S3Storage(s3::Settings settings) : client_(std::move(settings)) {}

  Result<std::string> read(const std::string& key) override { return client_.get_all(key); }
  Result<void> write(const std::string& key, std::string_view bytes) override {
    return client_.put(key, bytes);
  }
  Result<Info> stat(const std::string& key) override {
    const auto object = TRY(client_.head(key));
    return Info{object.size, object.modified};
  }
  Result<void> touch(const std::string& key) override { return client_.copy(key, key); }
  Result<void> remove(const std::string& key) override {
    TRY(client_.head(key));
    return client_.remove(key);
  }
  Result<Listing> list(const std::string& folder) override;
  Result<Content> open(const std::string& key) override {
    Content content;
    content.size = TRY(client_.head(key)).size;
    content.copy = [this, key](std::uint64_t first, std::uint64_t length, const ByteSink& sink) {
      return client_.get(key, first, length, sink);
    };
    return content;
  }

  Result<std::unique_ptr<Incoming>> create_incoming(const std::string& key) override {
    // An empty object says that there is such an upload.
    TRY(client_.put(folder_of(key) + "0", ""));
    return std::make_unique<S3Incoming>(client_, key, std::vector<s3::Object>());
  }
  Result<std::unique_ptr<Incoming>> open_incoming(const std::string& key) override {
    auto objects = TRY(objects_of(key));
    std::erase_if(objects, [](const s3::Object& object) { return object.key.ends_with("/0"); });
    return std::make_unique<S3Incoming>(client_, key, std::move(objects));
  }
  Result<void> remove_incoming(const std::string& key) override {
    for (const auto& object : TRY(objects_of(key))) TRY(client_.remove(object.key));
    return {};
  }
  Result<std::vector<std::pair<std::string, Time>>> list_incoming() override {
    std::map<std::string, Time> last;
    constexpr std::string_view kFolder = "incoming/";
    for (const auto& object : TRY(client_.list(std::string(kFolder), false)).objects) {
      const std::string rest = object.key.substr(kFolder.size());
      auto& time = last[rest.substr(0, rest.find('/'))];
      time = std::max(time, object.modified);
    }
    return std::vector<std::pair<std::string, Time>>(last.begin(), last.end());
  }

 private:
  Result<std::vector<s3::Object>> objects_of(const std::string& id) {
    auto objects = TRY(client_.list(folder_of(id), false)).objects;
    if (objects.empty()) return fail(Kind::NotFound, "no upload {}", id);
    return objects;
  }

  Client client_;
};

Result<Storage::Listing> S3Storage::list(const std::string& folder) {
  const std::string prefix = folder + "/";
  const auto found = TRY(client_.list(prefix, true));
  Listing out;
  for (const auto& object : found.objects) out.objects.push_back(object.key.substr(prefix.size()));
  for (const auto& name : found.folders)
    out.folders.push_back(name.substr(prefix.size(), name.size() - prefix.size() - 1));
  std::sort(out.objects.begin(), out.objects.end());
  std::sort(out.folders.begin(), out.folders.end());
  return out;
}

}  // namespace

Result<std::unique_ptr<Storage>> open_s3_storage(s3::Settings settings) {
  auto storage = std::make_unique<S3Storage>(std::move(settings));
  // A wrong name or key is better said now than to the first client.
  TRY_CONTEXT(storage->list("repositories"), "the object store cannot be used");
  return storage;
}

}  // namespace skiff::registry::server
