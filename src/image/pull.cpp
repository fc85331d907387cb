#include "image/pull.h"

#include <algorithm>
#include <future>
#include <map>

#include "base/ids.h"
#include "base/log.h"
#include "image/lazy/lazy_layers.h"
#include "image/transfer/download.h"
#include "image/transfer/layer_pool.h"
#include "image/transfer/layer_progress.h"
#include "image/transfer/mend.h"
#include "image/transfer/source.h"
#include "image/transfer/unpacking.h"

namespace skiff::image {
namespace {

constexpr int kMostAttempts = 3;

/// How the layers of a pull are served.
struct LazyPull {
  LazyLayers* layers;
  lazy::LazyNote note;  ///< what all of them have in common
};

/// The layers of one image on their way here, from the lowest that is missing up.
class LayerStack {
 public:
  /// With `keep_blobs` the compressed layers can be kept afterwards. `lazy` says how layers are served, if
  /// any are to be.
  LayerStack(Store& store, LayerPool& pool, Unpackings& unpackings, const Source& source, bool keep_blobs,
             std::optional<LazyPull> lazy, Progress& progress)
      : store_(store),
        pool_(pool),
        unpackings_(unpackings),
        source_(source),
        keep_blobs_(keep_blobs),
        lazy_(std::move(lazy)),
        progress_(progress) {}
  /// Upper layers go before those that they stand on.
  ~LayerStack() {
    while (!leases_.empty()) leases_.pop_back();
  }

  /// Bottom first, once all are here.
  Result<std::vector<Layer>> bring(const spec::oci::Image& config, const std::stop_token& stop) {
    const auto& diff_ids = config.rootfs.diff_ids;
    if (diff_ids.size() != source_.manifest.layers.size())
      return Error(Kind::InvalidArgument,
                   "invalid manifest: layers from manifest don't match image configuration");
    const auto chains = spec::oci::chain_ids(diff_ids);
    const std::size_t known = TRY(hold_known(chains));
    if (lazy_) TRY(prepare_lazily(known, diff_ids, stop));
    announce(known);
    for (std::size_t i = known; i < chains.size(); ++i) {
      leases_.push_back(TRY(pool_.get(chains[i], stop, [&] { return make(i, diff_ids[i], stop); })));
      if (loose_.contains(i)) {
        progress_.action(std::string(source_.manifest.layers[i].digest.short_hex()), "Served while it comes");
        continue;
      }
      // Another pull may have made it; then the blob is needed no more.
      auto& part = parts_.at(i);
      part.unpacking->download()->used();
      part.progress.done();
    }
    // Their files go before they are written to the disk.
    if (!keep_blobs_) parts_.clear();
    return layers(diff_ids);
  }

  /// Whether a layer was made of a blob that came now.
  bool made(const std::string& snapshot) const { return tar_bytes_.contains(snapshot); }

  /// Leaves the compressed layers that were downloaded in the content store.
  Result<std::vector<spec::Digest>> keep_blobs() {
    std::vector<spec::Digest> kept;
    for (const auto& [index, part] : parts_) {
      const auto& download = part.unpacking->download();
      // Another pull may have made the layer before this blob was here.
      if (download->state().phase != Download::Phase::Done) continue;
      TRY(download->keep());
      kept.push_back(download->blob().digest);
    }
    return kept;
  }

 private:
  /// A missing layer on its way.
  struct Part {
    Part(Progress& listener, std::shared_ptr<Unpacking> work)
        : unpacking(std::move(work)), progress(listener, unpacking->download()) {}
    std::shared_ptr<Unpacking> unpacking;
    LayerProgress progress;
  };

  /// Takes the highest layer that is here and all below it; how many that are.
  Result<std::size_t> hold_known(const std::vector<spec::Digest>& chains) {
    for (std::size_t count = chains.size(); count > 0; --count) {
      const auto top = TRY(pool_.find(chains[count - 1]));
      if (!top) continue;
      std::vector<std::string> keys;
      for (std::string key = top->snapshot(); !key.empty() && keys.size() < count;) {
        keys.push_back(key);
        key = TRY(store_.snapshots().info(key)).parent;
      }
      if (keys.size() != count) continue;
      for (auto key = keys.rbegin(); key != keys.rend(); ++key) leases_.push_back(pool_.hold(*key));
      return count;
    }
    return std::size_t{0};
  }

  /// Begins to download and to unpack all at once.
  void announce(std::size_t known) {
    const auto& blobs = source_.manifest.layers;
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      const std::string id(blobs[i].digest.short_hex());
      progress_.action(id, i < known ? "Already exists" : "Pulling fs layer");
    }
    for (std::size_t i = known; i < blobs.size(); ++i)
      if (!loose_.contains(i))
        parts_.try_emplace(i, progress_, unpackings_.get(blobs[i], source_.repository));
  }

  /// Fetches the tables of contents of all missing layers that have one, at once.
  Result<void> prepare_lazily(std::size_t known, const std::vector<spec::Digest>& diff_ids,
                              const std::stop_token& stop) {
    using Prepared = Result<std::optional<LooseLayer>>;
    std::vector<std::pair<std::size_t, std::future<Prepared>>> running;
    for (std::size_t i = known; i < diff_ids.size(); ++i)
      running.emplace_back(i, std::async(std::launch::async, [this, i, &diff_ids, &stop] {
                             const auto& blob = source_.manifest.layers[i];
                             lazy::LazyNote note = lazy_->note;
                             note.blob = blob.digest;
                             note.size = blob.size;
                             note.media_type = blob.media_type;
                             note.diff_id = diff_ids[i];
                             return lazy_->layers->prepare(blob, *source_.repository, note, stop);
                           }));
    std::optional<Error> failure;
    for (auto& [index, future] : running) {
      auto prepared = future.get();
      if (!prepared.ok())
        failure = prepared.error();
      else if (*prepared)
        loose_.emplace(index, std::move(**prepared));
    }
    if (failure) return *failure;
    return {};
  }

  Result<Layer> make(std::size_t index, const spec::Digest& diff_id, const std::stop_token& stop) {
    const std::string below = leases_.empty() ? "" : leases_.back().snapshot();
    if (const auto loose = loose_.find(index); loose != loose_.end())
      return place_served_layer(std::move(loose->second), below);
    Unpacking& unpacking = *parts_.at(index).unpacking;
    auto loose = TRY(unpacking.take(stop));
    if (loose.diff_id != diff_id) {
      unpacking.download()->used();  // whole, and of no use
      return fail(
          Kind::DataLoss, "layers from manifest don't match image configuration: layer {} holds {}, not {}",
          unpacking.download()->blob().digest.to_string(), loose.diff_id.to_string(), diff_id.to_string());
    }
    Layer layer = TRY(place_layer(std::move(loose), below));
    tar_bytes_[layer.snapshot] = layer.tar_bytes;
    return layer;
  }

  /// From the top down: another pull may have made some of them, and what stands below them is what counts.
  Result<std::vector<Layer>> layers(const std::vector<spec::Digest>& diff_ids) {
    std::vector<Layer> found(diff_ids.size());
    std::string key = leases_.empty() ? "" : leases_.back().snapshot();
    for (std::size_t i = diff_ids.size(); i > 0; --i) {
      const auto info = TRY(store_.snapshots().info(key));
      found[i - 1].diff_id = diff_ids[i - 1];
      found[i - 1].snapshot = key;
      found[i - 1].bytes = info.bytes;
      if (const auto known = tar_bytes_.find(key); known != tar_bytes_.end())
        found[i - 1].tar_bytes = known->second;
      key = info.parent;
    }
    return found;
  }

  Store& store_;
  LayerPool& pool_;
  Unpackings& unpackings_;
  const Source& source_;
  const bool keep_blobs_;
  const std::optional<LazyPull> lazy_;
  Progress& progress_;
  std::map<std::size_t, Part> parts_;               ///< of the missing layers, by their place
  std::map<std::size_t, LooseLayer> loose_;         ///< of those that are to be served
  std::map<std::string, std::uint64_t> tar_bytes_;  ///< of the layers made here, by snapshot
  std::vector<LayerPool::Lease> leases_;
};

class RegistryPuller final : public Puller {
 public:
  RegistryPuller(Store& store, BlobLedger& ledger, Trust& trust, const registry::Settings& settings,
                 LazyLayers* lazy)
      : store_(store),
        ledger_(ledger),
        trust_(trust),
        settings_(settings),
        lazy_(lazy),
        unpackings_(store, settings),
        pool_(store) {}

  Result<void> pull(const PullRequest& request, Progress& progress, const std::stop_token& stop) override {
    const auto& reference = request.reference;
    Change change = Change::None;
    std::vector<std::string> warnings;
    if (!reference.tag().empty() || reference.digest()) {
      change = TRY(pull_one(request, reference, warnings, progress, stop));
    } else {
      for (const auto& tag : TRY(find_tags(reference, request.credentials, settings_, stop)))
        change = std::max(change, TRY(pull_one(request, reference.with_tag(tag), warnings, progress, stop)));
    }
    const char* status = change == Change::Newer    ? "Downloaded newer image"
                         : change == Change::Mended ? "Repaired damaged image"
                                                    : "Image is up to date";
    progress.message(fmt::format("Status: {} for {}", status, reference.familiar()));
    for (const auto& warning : warnings) progress.message(warning);
    return {};
  }

  Result<void> mend(const Image& image, const CredentialsOf& credentials_of, Progress& progress,
                    const std::stop_token& stop) override {
    const auto source = TRY(find_origin(image, credentials_of, stop));
    for (const auto& digest : image.manifests) {
      if (store_.content().read(digest).ok()) continue;
      const auto document = TRY(source.repository->manifest(digest.to_string(), stop));
      TRY(store_.content().put(document.bytes));
    }
    bool mended = false;
    TRY(bring_image(source, std::nullopt, mended, progress, stop));
    return {};
  }

 private:
  enum class Change : std::uint8_t { None, Mended, Newer };

  /// What the name stands for now is another image, or one that lacked something.
  Result<Change> pull_one(const PullRequest& request, const spec::Reference& asked,
                          std::vector<std::string>& warnings, Progress& progress,
                          const std::stop_token& stop) {
    // With a digest the tag says nothing more.
    const auto reference = asked.digest() ? asked.with_tag("") : asked;
    const auto platform = request.platform.value_or(spec::Platform::host());
    auto source =
        TRY(find_source(reference, platform, request.credentials, settings_, store_.content(), stop));
    auto pull = TRY(check_trust(reference, source, request.credentials, stop));
    progress.message(fmt::format("Pulling from {}", reference.path()),
                     reference.digest() ? reference.familiar() : reference.tag());
    const auto before = store_.id_of(reference.to_string());
    bool mended = false;  // also by a mirror that broke off then
    // With kept blobs nothing is left to be fetched later.
    const bool served = request.lazy && lazy_ && !settings_.keep_layer_blobs && LazyLayers::possible();
    const auto how = [&]() -> std::optional<LazyPull> {
      if (!served) return std::nullopt;
      LazyPull lazy{lazy_, {}};
      lazy.note.group = random_hex(8);
      lazy.note.image = reference.familiar();
      lazy.note.repository = reference.without_tag().to_string();
      lazy.note.credentials = request.credentials;
      return lazy;
    };
    // Held until it has its names; its origin is known before it is here: without one it would count as made
    // here.
    auto hold = store_.hold(source.manifest.config.digest);
    TRY(trust_.origins().pulled(source.manifest.config.digest, pull));
    auto brought = bring_image(source, how(), mended, progress, stop);
    while (!brought.ok() && source.repository->endpoint().mirror &&
           brought.error().kind() != Kind::Cancelled) {
      // A mirror that lost something, or was cut off: what came of the layers is kept for the next one.
      log::info("{}: {}; trying the next way", source.repository->endpoint().url, brought.error().message());
      source = TRY(find_source(reference, platform, request.credentials, settings_, store_.content(), stop,
                               source.way + 1));
      // Where the tag may stand for another image.
      pull = TRY(check_trust(reference, source, request.credentials, stop));
      hold = store_.hold(source.manifest.config.digest);
      TRY(trust_.origins().pulled(source.manifest.config.digest, pull));
      brought = bring_image(source, how(), mended, progress, stop);
    }
    const Image image = TRY(std::move(brought));
    store_.used(image.id);
    const auto canonical = reference.with_digest(source.digest);
    std::vector<spec::Digest> documents;
    for (const auto& document : source.documents)
      documents.push_back(TRY(store_.content().put(document.bytes)));
    TRY(store_.add_digest(image.id, canonical, documents));
    const bool newer = !before.ok() || *before != image.id;
    // Also one that had the name before: somebody may have taken it away since.
    const auto current = store_.id_of(reference.to_string());
    if (!reference.digest() && (!current.ok() || *current != image.id)) TRY(store_.tag(image.id, reference));
    progress.message(fmt::format("Digest: {}", source.digest.to_string()));
    if (request.platform && !request.platform->accepts(image.config.platform))
      warnings.push_back(fmt::format(
          "WARNING: image with reference {} was found but its platform ({}) does not match "
          "the specified platform ({})",
          reference.familiar(), image.config.platform.to_string(), request.platform->to_string()));
    return newer ? Change::Newer : mended ? Change::Mended : Change::None;
  }

  /// The manifest of an image that is here, at a registry that has it. NotFound when it came from none.
  Result<Source> find_origin(const Image& image, const CredentialsOf& credentials_of,
                             const std::stop_token& stop) {
    Error last(Kind::NotFound, "it came from no registry: it has to be loaded or built again");
    for (const auto& name : image.repo_digests) {
      const auto reference = TRY(spec::Reference::parse(name));
      // The name's own may be that of an index, which leads on only where the platform is known.
      std::vector<spec::Digest> digests = image.manifests;
      digests.push_back(*reference.digest());
      for (const auto& digest : digests) {
        auto found = find_source(reference.with_digest(digest), image.config.platform,
                                 credentials_of(reference.domain()), settings_, store_.content(), stop);
        if (found.ok() && found->manifest.config.digest == image.id) return found;
        if (!found.ok()) last = found.error();
        if (last.kind() == Kind::Cancelled) return last;
      }
    }
    return last;
  }

  /// What is to be recorded of where the image comes from, if the policy takes it.
  Result<PulledAs> check_trust(const spec::Reference& reference, const Source& source,
                               const registry::Credentials& credentials, const std::stop_token& stop) {
    PulledAs pull{reference.to_string(), {}, {}};
    for (const auto& document : source.documents) pull.manifests.push_back(document.digest);
    pull.signatures = TRY(trust_.check_pull(reference, pull.manifests, [&] {
      return find_signatures(reference, pull.manifests, credentials, settings_, stop);
    }));
    return pull;
  }

  /// `mended` becomes true when something of it was damaged here and is whole now, whatever comes after.
  Result<Image> bring_image(const Source& source, std::optional<LazyPull> lazy, bool& mended,
                            Progress& progress, const std::stop_token& stop) {
    const auto& descriptor = source.manifest.config;
    const auto known = store_.resolve(descriptor.digest.to_string());
    if (known.ok()) {
      if (lazy)
        TRY(lazy_->renew(*known, lazy->note));
      else if (lazy_)
        TRY(bring_rest(*known, stop));
      TRY(mend_layers(store_, unpackings_, source, *known, mended, progress, stop));
      // What is held in memory does not tell of the disk.
      if (!store_.content().read(known->id).ok()) {
        TRY(store_.content().put(TRY(source.repository->read_blob(descriptor, stop))));
        mended = true;
      }
      return known;
    }
    const bool damaged = known.error().kind() == Kind::DataLoss;
    const std::string text = TRY(source.repository->read_blob(descriptor, stop));
    const auto config = TRY_CONTEXT(json::decode<spec::oci::Image>(text), "invalid image configuration");
    for (int attempt = 1;; ++attempt) {
      LayerStack stack(store_, pool_, unpackings_, source, settings_.keep_layer_blobs, lazy, progress);
      const auto layers = TRY(stack.bring(config, stop));
      if (const auto serving = serve(layers); !serving.ok()) {
        log::info("{} is pulled whole: {}", lazy->note.image, serving.error().message());
        lazy.reset();
        continue;
      }
      auto image = store_.create_from(text, layers, "");
      if (image.ok()) {
        mended = mended || damaged;
        TRY(remember_blobs(source, layers, stack));
        if (lazy) lazy_->wake();
        if (settings_.keep_layer_blobs)
          if (const auto kept = keep_blobs(image->id, stack); !kept.ok())
            log::warning("image {}: its compressed layers are not kept: {}", image->id.to_string(),
                         kept.error().message());
        return image;
      }
      // The image may have come from elsewhere meanwhile, and gone by force before it was looked at.
      const bool lost = image.error().kind() == Kind::NotFound;
      if (!lost || attempt == kMostAttempts) return image.error();
    }
  }

  /// Whether those that are to be served can be.
  Result<void> serve(const std::vector<Layer>& layers) {
    std::vector<std::string> directories;
    for (const auto& layer : layers)
      if (const auto info = TRY(store_.snapshots().info(layer.snapshot)); info.served)
        directories.push_back(info.directory);
    if (directories.empty()) return {};
    return lazy_->serve(directories);
  }

  /// A pull that is not lazy gives an image that needs no registry any more.
  Result<void> bring_rest(const Image& image, const std::stop_token& stop) {
    for (const auto& layer : image.layers) {
      auto whole = lazy_->make_whole(layer.snapshot, stop);
      // What is damaged is fetched anew; wrong bytes on the way are no damage.
      if (!whole.ok() && store_.snapshots().sound(layer.snapshot).ok()) return whole;
    }
    return {};
  }

  /// The image is whole without them.
  Result<void> keep_blobs(const spec::Digest& image, LayerStack& stack) {
    return store_.add_layer_blobs(image, TRY(stack.keep_blobs()));
  }

  /// What a push of this image will want to know: of the layers that came now. Of those that were here, or
  /// are served, nobody has compared the blob that the manifest names with the diff id.
  Result<void> remember_blobs(const Source& source, const std::vector<Layer>& layers,
                              const LayerStack& stack) {
    const auto& name = source.repository->name();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const auto& blob = source.manifest.layers[i];
      if (!stack.made(layers[i].snapshot)) continue;
      TRY(ledger_.add(layers[i].diff_id,
                      {blob.digest, blob.size, blob.media_type, name.domain(), name.path()}));
    }
    return {};
  }

  Store& store_;
  BlobLedger& ledger_;
  Trust& trust_;
  const registry::Settings& settings_;
  LazyLayers* const lazy_;
  Unpackings unpackings_;
  LayerPool pool_;
};

}  // namespace

std::unique_ptr<Puller> Puller::create(Store& store, BlobLedger& ledger, Trust& trust,
                                       const registry::Settings& settings, LazyLayers* lazy) {
  return std::make_unique<RegistryPuller>(store, ledger, trust, settings, lazy);
}

}  // namespace skiff::image
