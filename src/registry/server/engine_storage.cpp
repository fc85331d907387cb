#include "registry/server/engine_storage.h"

#include <algorithm>
#include <map>

#include "base/strings.h"
#include "base/thread.h"
#include "http/client.h"
#include "registry/server/links.h"
#include "registry/server/manifest.h"
#include "registry/server/repositories.h"
#include "registry/server/route.h"
#include "spec/manifest.h"
#include "spec/reference.h"
#include "spec/served_image.h"

namespace skiff::registry::server {
namespace {

using SteadyClock = std::chrono::steady_clock;
using spec::Digest;

/// How long what the engine listed is believed: one pull asks a dozen times.
constexpr std::chrono::seconds kFresh{1};
constexpr std::size_t kMostListing = 256 << 20;
constexpr std::size_t kPiece = 256 << 10;
constexpr std::string_view kHub = "repositories/library/";

/// A request's answer, once its status is known to be 200.
Result<http::ClientResponse> ask(http::Client& engine, std::string target) {
  http::ClientRequest request;
  request.target = std::move(target);
  auto response =
      TRY_CONTEXT(engine.send(std::move(request)), "the engine at {}", engine.address().to_string());
  if (response.status == 200) return response;
  return fail(response.status == 404 ? Kind::NotFound : Kind::Unavailable, "the engine at {} answers: {} {}",
              engine.address().to_string(), response.status, response.reason);
}

/// A moment's objects by their keys, as repositories.h names them.
class Index {
 public:
  void add(const spec::ServedImage& image) {
    const auto facts = read_manifest(image.manifest, spec::oci::kDockerManifest);
    if (!facts.ok()) return;
    const Digest digest = Digest::of(image.manifest);
    for (const auto& text : image.names) {
      const auto reference = spec::Reference::parse(text);
      if (!reference.ok() || !is_repository_name(reference->familiar_name())) continue;
      const std::string name = reference->familiar_name();
      objects_[repository_key(name, kTags) + "/" + reference->tag()] = digest.to_string();
      objects_[link_key(name, kManifests, digest)] =
          json::encode(ManifestRecord{std::string(spec::oci::kDockerManifest), image.manifest.size()});
      objects_[blob_key(digest)] = image.manifest;
      for (const auto& [blob, size] : facts->sizes) {
        objects_[link_key(name, kBlobs, blob)] = std::to_string(size);
        blobs_[blob_key(blob)] = {blob, size};
      }
    }
  }

  const std::string* object(const std::string& key) const {
    const auto found = objects_.find(key);
    return found == objects_.end() ? nullptr : &found->second;
  }

  struct Blob {
    Digest digest;
    std::uint64_t size = 0;
  };
  const Blob* blob(const std::string& key) const {
    const auto found = blobs_.find(key);
    return found == blobs_.end() ? nullptr : &found->second;
  }

  Storage::Listing list(const std::string& folder) const {
    Storage::Listing listing;
    const std::string prefix = folder + "/";
    for (auto at = objects_.lower_bound(prefix); at != objects_.end() && at->first.starts_with(prefix);) {
      const auto [child, rest] = cut(std::string_view(at->first).substr(prefix.size()), '/');
      (rest ? listing.folders : listing.objects).emplace_back(child);
      // Behind everything in the folder: '0' follows '/'.
      at = rest ? objects_.lower_bound(prefix + std::string(child) + "0") : std::next(at);
    }
    // "a-b" stands between "a" and "a/...": the order of keys is not that of names.
    std::sort(listing.folders.begin(), listing.folders.end());
    return listing;
  }

 private:
  std::map<std::string, std::string> objects_;
  std::map<std::string, Blob> blobs_;
};

/// Docker Hub's own images are asked for with and without "library/", by mirrors and by people.
std::string familiar_key(const std::string& key) {
  if (!key.starts_with(kHub)) return key;
  const auto [name, rest] = cut(std::string_view(key).substr(kHub.size()), '/');
  return !rest || rest->starts_with('_') ? "repositories/" + key.substr(kHub.size()) : key;
}

class EngineStorage final : public Storage {
 public:
  explicit EngineStorage(http::Address address) : address_(std::move(address)) {}

  Result<std::string> read(const std::string& key) override {
    const auto index = TRY(this->index());
    if (const auto* object = index->object(familiar_key(key))) return *object;
    return no_such(key);
  }
  Result<Info> stat(const std::string& key) override { return Info{TRY(read(key)).size(), now()}; }
  Result<Listing> list(const std::string& folder) override {
    return TRY(index())->list(familiar_key(folder));
  }

  Result<Content> open(const std::string& key) override {
    const auto index = TRY(this->index());
    const auto* blob = index->blob(key);
    if (!blob) return no_such(key);
    Content content;
    content.size = blob->size;
    content.copy = [this, digest = blob->digest](std::uint64_t first, std::uint64_t length,
                                                 const ByteSink& sink) {
      return copy(digest, first, length, sink);
    };
    return content;
  }

  Result<void> write(const std::string&, std::string_view) override { return read_only(); }
  Result<void> touch(const std::string&) override { return {}; }
  Result<void> remove(const std::string&) override { return read_only(); }
  Result<std::unique_ptr<Incoming>> create_incoming(const std::string&) override { return read_only(); }
  Result<std::unique_ptr<Incoming>> open_incoming(const std::string& key) override { return no_such(key); }
  Result<void> remove_incoming(const std::string& key) override { return no_such(key); }
  Result<std::vector<std::pair<std::string, Time>>> list_incoming() override {
    return std::vector<std::pair<std::string, Time>>();
  }

 private:
  static Error no_such(const std::string& key) { return fail(Kind::NotFound, "{}: no such object", key); }
  static Error read_only() { return {Kind::Unsupported, "the images of an engine can only be read"}; }

  /// What the engine has. While somebody asks it the others go on with what it had.
  Result<std::shared_ptr<const Index>> index() EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      while (!index_ && loading_) lock.wait(loaded_);
      if (index_ && (loading_ || SteadyClock::now() - read_at_ < kFresh)) return index_;
      loading_ = true;
    }
    auto current = load();
    const MutexLock lock(mutex_);
    loading_ = false;
    loaded_.notify_all();
    // What an engine that is gone had cannot be served either.
    index_ = current.ok() ? *current : nullptr;
    read_at_ = SteadyClock::now();
    return current;
  }

  Result<std::shared_ptr<const Index>> load() const {
    http::Client engine(address_);
    auto response = TRY(ask(engine, "/skiff/registry/images"));
    const std::string text = TRY(response.read_all(kMostListing));
    const auto images = TRY_CONTEXT(json::parse(text), "the engine at {}", address_.to_string());
    auto index = std::make_shared<Index>();
    if (const auto* array = images.if_array())
      for (const auto& image : *array) index->add(TRY(json::from_value<spec::ServedImage>(image)));
    return std::shared_ptr<const Index>(std::move(index));
  }

  Result<void> copy(const Digest& digest, std::uint64_t first, std::uint64_t length,
                    const ByteSink& sink) const {
    http::Client engine(address_);
    auto response = TRY(ask(engine, "/skiff/registry/blobs/" + digest.to_string()));
    std::string buffer(kPiece, '\0');
    while (length > 0) {
      const std::size_t count = TRY(response.read(buffer.data(), buffer.size()));
      if (count == 0) return fail(Kind::Unavailable, "the engine broke off in blob {}", digest.to_string());
      const auto passed = std::min<std::uint64_t>(first, count);
      first -= passed;
      const auto piece =
          std::string_view(buffer).substr(passed, std::min<std::uint64_t>(count - passed, length));
      if (!piece.empty()) TRY(sink(piece));
      length -= piece.size();
    }
    return {};
  }

  const http::Address address_;
  Mutex mutex_;
  std::condition_variable loaded_;
  std::shared_ptr<const Index> index_ GUARDED_BY(mutex_);
  SteadyClock::time_point read_at_ GUARDED_BY(mutex_);
  bool loading_ GUARDED_BY(mutex_) = false;
};

}  // namespace

Result<std::unique_ptr<Storage>> open_engine_storage(http::Address address) {
  auto storage = std::make_unique<EngineStorage>(std::move(address));
  TRY(storage->list("repositories"));
  return std::unique_ptr<Storage>(std::move(storage));
}

}  // namespace skiff::registry::server
