#include "image/push.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "image/push_manifest.h"
#include "image/transfer/layer_push.h"
#include "image/transfer/repeat.h"
#include "spec/manifest.h"

namespace skiff::image {
namespace {

using registry::Repository;

Result<void> push_config(Repository& repository, const spec::Digest& digest, const std::string& text,
                         const std::stop_token& stop) {
  if (TRY(repository.blob_size(digest, stop))) return {};
  std::size_t at = 0;
  registry::Upload upload;
  upload.source = [&](char* buffer, std::size_t size) -> Result<std::size_t> {
    const std::size_t count = text.copy(buffer, size, at);
    at += count;
    return count;
  };
  upload.size = text.size();
  upload.digest = [&] { return digest; };
  return repository.upload(std::move(upload), stop);
}

class RegistryPusher final : public Pusher {
 public:
  RegistryPusher(Store& store, BlobLedger& ledger, Origins& origins, const registry::Settings& settings)
      : store_(store), ledger_(ledger), origins_(origins), settings_(settings) {}

  Result<void> push(const PushRequest& request, Progress& progress, const std::stop_token& stop) override {
    const auto& reference = request.reference;
    TRY(check_platform(request));
    progress.message(fmt::format("The push refers to repository [{}]", reference.name()));
    const auto images = TRY(images_of(reference));
    const auto repository =
        TRY(Repository::connect(reference, registry::Purpose::Push, request.credentials, settings_, stop));
    for (const auto& [tag, image] : images)
      TRY(push_one(*repository, tag, image, request.compression, progress, stop));
    return {};
  }

 private:
  Result<void> check_platform(const PushRequest& request) {
    if (!request.platform) return {};
    const auto image = store_.resolve(request.reference.with_default_tag().to_string());
    if (!image.ok() || request.platform->accepts(image->config.platform)) return {};
    return fail(
        Kind::NotFound,
        "image with reference {} was found but its platform ({}) does not match the specified platform ({})",
        request.reference.familiar(), image->config.platform.to_string(), request.platform->to_string());
  }

  /// What is to be pushed: a tag, or all that the repository has here.
  Result<std::vector<std::pair<std::string, Image>>> images_of(const spec::Reference& reference) {
    std::vector<std::pair<std::string, Image>> found;
    bool has_others = false;
    for (auto& image : TRY(store_.list()))
      for (const auto& text : image.tags) {
        const auto name = TRY(spec::Reference::parse(text));
        if (name.name() != reference.name()) continue;
        has_others = true;
        if (reference.tag().empty() || name.tag() == reference.tag()) found.emplace_back(name.tag(), image);
      }
    if (found.empty() && has_others)
      return fail(Kind::NotFound, "tag does not exist: {}", reference.familiar());
    if (found.empty())
      return fail(Kind::NotFound, "An image does not exist locally with the tag: {}",
                  reference.familiar_name());
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    return found;
  }

  Result<void> push_one(Repository& repository, const std::string& tag, const Image& image,
                        std::optional<archive::Compression> compression, Progress& progress,
                        const std::stop_token& stop) {
    const auto blobs = TRY(push_layers(repository, image, compression, progress, stop));
    const std::string config = TRY(store_.content().read(image.id));
    TRY(repeat<void>(settings_, stop, [&] { return push_config(repository, image.id, config, stop); }));
    const auto manifest = push_manifest(image.id, config.size(), blobs);
    const auto size = manifest.text.size();
    const auto digest = TRY(repeat<spec::Digest>(settings_, stop, [&] {
      return repository.put_manifest(tag, std::string(manifest.media_type), manifest.text, stop);
    }));
    // It gets the digest that pulled images have, and was made here all the same.
    if (image.repo_digests.empty()) TRY(origins_.note(image.id, Origin::Kind::Local));
    TRY(store_.add_digest(image.id, repository.name().with_digest(digest), {}));
    progress.message(fmt::format("{}: digest: {} size: {}", tag, digest.to_string(), size));
    progress.result(json::Object{{"Tag", tag}, {"Digest", digest.to_string()}, {"Size", size}});
    return {};
  }

  /// Several at a time; the blobs come back bottom first. The first failure ends the others.
  Result<std::vector<KnownBlob>> push_layers(Repository& repository, const Image& image,
                                             std::optional<archive::Compression> compression,
                                             Progress& progress, const std::stop_token& stop) {
    LayerPush work(store_, ledger_, settings_, repository, compression, progress);
    std::map<spec::Digest, std::optional<Result<KnownBlob>>> blobs;  // a layer may stand in an image twice
    std::vector<const Layer*> order;
    for (auto layer = image.layers.rbegin(); layer != image.layers.rend(); ++layer)
      if (blobs.try_emplace(layer->diff_id).second) {
        order.push_back(&*layer);
        progress.action(layer->diff_id.short_hex(), "Preparing");
      }
    std::stop_source end;
    const std::stop_callback chain(stop, [&] { end.request_stop(); });
    std::atomic<std::size_t> next = 0;
    const auto work_on = [&] {
      for (std::size_t at = next++; at < order.size(); at = next++) {
        auto pushed = work.run(*order[at], end.get_token());
        if (!pushed.ok()) end.request_stop();
        blobs[order[at]->diff_id] = std::move(pushed);
      }
    };
    std::vector<std::thread> threads;
    const auto count = std::min(order.size(), static_cast<std::size_t>(settings_.concurrent_uploads));
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work_on);
    for (auto& thread : threads) thread.join();
    TRY(first_failure(blobs));
    std::vector<KnownBlob> all;
    for (const auto& layer : image.layers) all.push_back(**blobs[layer.diff_id]);
    return all;
  }

  /// The one that ended the others, not one that was ended.
  static Result<void> first_failure(const std::map<spec::Digest, std::optional<Result<KnownBlob>>>& blobs) {
    std::optional<Error> failure;
    for (const auto& [diff_id, blob] : blobs)
      if (!(*blob).ok() && (!failure || failure->kind() == Kind::Cancelled)) failure = (*blob).error();
    return failure ? Result<void>(*failure) : success();
  }

  Store& store_;
  BlobLedger& ledger_;
  Origins& origins_;
  const registry::Settings& settings_;
};

}  // namespace

std::unique_ptr<Pusher> Pusher::create(Store& store, BlobLedger& ledger, Origins& origins,
                                       const registry::Settings& settings) {
  return std::make_unique<RegistryPusher>(store, ledger, origins, settings);
}

}  // namespace skiff::image
