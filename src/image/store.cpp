#include "image/store.h"

#include <algorithm>

#include "base/log.h"
#include "image/import.h"
#include "image/record.h"
#include "image/store_impl.h"
#include "image/trust/origins.h"

namespace skiff::image {

namespace {

/// What is known of an image from its record and its config.
Image assemble(const spec::Digest& id, spec::oci::Image config, Record record) {
  Image image;
  image.id = id;
  image.config = std::move(config);
  image.parent = std::move(record.parent);
  image.tagged = record.tagged;
  image.used = record.tagged;  // until more is known
  image.manifests = std::move(record.manifests);
  image.layer_blobs = std::move(record.layer_blobs);
  image.layers = std::move(record.layers);
  for (const auto& layer : image.layers) image.size += layer.bytes;
  if (!image.layers.empty()) image.snapshot = image.layers.back().snapshot;
  return image;
}

Record record_of(const Image& image) {
  Record record;
  record.layers = image.layers;
  record.manifests = image.manifests;
  record.layer_blobs = image.layer_blobs;
  record.parent = image.parent;
  record.tagged = image.tagged;
  return record;
}

}  // namespace

spec::Digest id_of(const spec::oci::Image& config) { return spec::Digest::of(json::encode(config)); }

Result<std::unique_ptr<Store>> Store::open(content::Store& content, snapshot::Store& snapshots,
                                           meta::Database& database, const spec::LayerLimits& limits) {
  auto store = std::make_unique<CatalogueStore>(content, snapshots, database, limits);
  TRY(store->load());
  return store;
}

Result<void> CatalogueStore::load() {
  const MutexLock lock(mutex_);
  std::vector<std::pair<std::string, std::string>> images;
  std::vector<std::pair<std::string, std::string>> tags;
  std::vector<std::pair<std::string, std::string>> uses;
  std::vector<std::pair<std::string, std::string>> origins;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    images = TRY(transaction.scan(kImageTable));
    tags = TRY(transaction.scan(kTagTable));
    uses = TRY(transaction.scan(kUseTable));
    origins = TRY(transaction.scan(kOriginTable));
    for (auto& [key, text] : TRY(transaction.scan(kOrphanTable))) orphans_.insert(key);
    return {};
  }));
  for (const auto& [key, text] : images) TRY(load_image(key, text));
  for (const auto& [id, text] : uses) {
    Image* image = catalogue_.find(id);
    if (!image) continue;
    const auto record = TRY_CONTEXT(json::decode<UseRecord>(text), "use of image {}", id);
    image->pinned = record.pinned;
    image->used = image->noted = record.used;
  }
  for (const auto& [name, text] : tags) {
    const auto record = TRY_CONTEXT(json::decode<TagRecord>(text), "name {}", name);
    if (catalogue_.find(record.id)) catalogue_.set_name(name, record.id);
  }
  // Written before a pull that did not end well.
  std::erase_if(origins, [&](const auto& origin) { return catalogue_.find(origin.first) != nullptr; });
  if (!origins.empty())
    TRY(database_.write([&](meta::Transaction& transaction) -> Result<void> {
      for (const auto& [id, text] : origins) TRY(transaction.erase(kOriginTable, id));
      return {};
    }));
  TRY(adopt_orphans());
  TRY(remove_unnamed_blobs());
  return sweep();
}

/// One damaged image must not keep the engine from starting, nor lose its layers: it is named, keeps its
/// place, and everything else works.
Result<void> CatalogueStore::load_image(const std::string& key, const std::string& text) {
  const auto id = TRY_CONTEXT(spec::Digest::parse(key), "image record {}", key);
  auto record = TRY_CONTEXT(json::decode<Record>(text), "image record {}", key);
  spec::oci::Image parsed;
  auto config = content_.read(id);
  if (config) {
    parsed = TRY_CONTEXT(json::decode<spec::oci::Image>(*config), "config of image {}", key);
  } else {
    log::error("image {}: {}", key, config.error().message());
    for (const auto& layer : record.layers) parsed.rootfs.diff_ids.push_back(layer.diff_id);
  }
  Image image = assemble(id, std::move(parsed), std::move(record));
  if (!config) image.damage = config.error().message();
  catalogue_.add(std::move(image));
  return {};
}

/// Blobs that a crash left between their making and the record that was to name them.
Result<void> CatalogueStore::remove_unnamed_blobs() {
  std::set<spec::Digest> named;
  for (const auto& [id, image] : catalogue_.images()) {
    named.insert(image.id);
    named.insert(image.manifests.begin(), image.manifests.end());
    named.insert(image.layer_blobs.begin(), image.layer_blobs.end());
  }
  for (const auto& blob : TRY(content_.list()))
    if (!named.contains(blob.digest)) TRY(content_.remove(blob.digest));
  return {};
}

/// Layers that a crash left between their making and the image they were for.
Result<void> CatalogueStore::adopt_orphans() {
  for (const auto& info : TRY(snapshots_.list()))
    if (info.key.starts_with(kLayerPrefix) && !catalogue_.uses(info.key)) orphans_.insert(info.key);
  return {};
}

Result<Image> CatalogueStore::resolve(std::string_view name) {
  const MutexLock lock(mutex_);
  const Image& image = *catalogue_.find(TRY(catalogue_.lookup(name)));
  if (image.damage.empty()) return image;
  return fail(Kind::DataLoss,
              "image {} is damaged: {}; pull or load it again, or run `skiff system fsck --repair`", name,
              image.damage);
}

Result<spec::Digest> CatalogueStore::id_of(std::string_view name) {
  const MutexLock lock(mutex_);
  return spec::Digest::parse(TRY(catalogue_.lookup(name)));
}

Result<std::vector<Image>> CatalogueStore::list() {
  const MutexLock lock(mutex_);
  std::vector<Image> images;
  images.reserve(catalogue_.images().size());
  for (const auto& [id, image] : catalogue_.images()) images.push_back(image);
  return images;
}

Result<Image> CatalogueStore::create(const spec::oci::Image& config, const std::vector<Layer>& layers,
                                     const std::string& parent) {
  // Made here, of layers that others may have brought: its id vouches for them.
  if (!layers.empty()) TRY(make_whole(layers.back().snapshot));
  return create_from(json::encode(config), layers, parent);
}

Result<Image> CatalogueStore::create_from(const std::string& text, const std::vector<Layer>& layers,
                                          const std::string& parent) {
  auto config = TRY_CONTEXT(json::decode<spec::oci::Image>(text), "invalid image configuration");
  const auto& diff_ids = config.rootfs.diff_ids;
  if (diff_ids.size() != layers.size()) {
    return fail(Kind::InvalidArgument, "invalid rootfs in image configuration: {} diff ids for {} layers",
                diff_ids.size(), layers.size());
  }
  const auto chains = spec::oci::chain_ids(diff_ids);
  bool fresh = false;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i].diff_id != diff_ids[i]) {
      return fail(Kind::InvalidArgument, "invalid rootfs in image configuration: layer {} is {}, not {}", i,
                  layers[i].diff_id.to_string(), diff_ids[i].to_string());
    }
    const auto info = TRY(snapshots_.info(layers[i].snapshot));
    if (info.chain_id != chains[i] || info.bytes != layers[i].bytes)
      TRY(snapshots_.set_chain(layers[i].snapshot, chains[i], layers[i].bytes));
    const MutexLock lock(mutex_);
    fresh = fresh || !catalogue_.uses(layers[i].snapshot);
  }
  // Layers of an image that exists were made safe when it was created.
  if (fresh) TRY(snapshots_.sync());
  const spec::Digest id = TRY(content_.put(text));
  std::optional<Image> known;
  {
    const MutexLock lock(mutex_);
    if (const Image* found = catalogue_.find(id.to_string())) known = *found;
  }
  if (known) return heal(*known, config, layers);
  const MutexLock lock(mutex_);
  if (Image* meanwhile = catalogue_.find(id.to_string())) {
    note_use(*meanwhile);
    return *meanwhile;
  }
  const UseRecord use{false, now()};
  // A layer that was there may have gone with another image meanwhile, and the config with this one; now
  // none goes.
  for (const auto& layer : layers) TRY(snapshots_.info(layer.snapshot));
  if (!content_.contains(id)) TRY(content_.put(text));
  Record record;
  record.layers = layers;
  record.parent = parent;
  TRY(database_.write([&](meta::Transaction& transaction) -> Result<void> {
    for (const auto& layer : layers) TRY(transaction.erase(kOrphanTable, layer.snapshot));
    TRY(transaction.put(kUseTable, id.to_string(), json::encode(use)));
    return transaction.put(kImageTable, id.to_string(), json::encode(record));
  }));
  for (const auto& layer : layers) orphans_.erase(layer.snapshot);
  catalogue_.add(assemble(id, std::move(config), std::move(record)));
  Image& made = *catalogue_.find(id.to_string());
  made.used = made.noted = use.used;
  return made;
}

Result<Image> CatalogueStore::heal(const Image& known, const spec::oci::Image& config,
                                   const std::vector<Layer>& layers) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::string& own = known.layers[i].snapshot;
    if (own == layers[i].snapshot) continue;
    const auto sound = snapshots_.sound(own);
    if (!sound && sound.error().kind() != Kind::DataLoss) return sound.error();
    const std::string below = i > 0 ? known.layers[i - 1].snapshot : "";
    if (!sound)
      TRY(mend_from_copy(own, below, layers[i]));
    else
      TRY(fill_from_copy(own, below, layers[i]));
  }
  const MutexLock lock(mutex_);
  Image* image = catalogue_.find(known.id.to_string());
  if (!image) return fail(Kind::NotFound, "No such image: {}", known.id.to_string());
  if (!image->damage.empty()) {
    image->config = config;
    image->damage.clear();
  }
  note_use(*image);
  return *image;
}

/// Files that are at hand need not be fetched. Where a container uses the layer, they come as they would
/// have.
Result<void> CatalogueStore::fill_from_copy(const std::string& snapshot, const std::string& parent,
                                            const Layer& whole) {
  if (!TRY(snapshots_.info(snapshot)).served || TRY(snapshots_.info(whole.snapshot)).served) return {};
  auto filled = mend_from_copy(snapshot, parent, whole);
  if (!filled && filled.error().kind() == Kind::Conflict) return {};
  return filled;
}

/// From a copy, because others may stand on the layer that is at hand.
Result<void> CatalogueStore::mend_from_copy(const std::string& snapshot, const std::string& parent,
                                            const Layer& sound) {
  const Layer copy =
      TRY(import_written(*this, parent, [&](const sys::Fd& out) { return write_layer(sound, out); }));
  auto mended = mend_layer(snapshot, copy.snapshot);
  drop_layer(copy.snapshot);
  return mended;
}

Result<void> CatalogueStore::mend_layer(const std::string& snapshot, const std::string& sound) {
  const auto exchange = [&](const std::set<std::string>& idle) {
    return snapshots_.exchange(snapshot, sound, idle);
  };
  return while_still_ ? while_still_(snapshot, exchange) : exchange({});
}

Result<void> CatalogueStore::tag(const spec::Digest& id, const spec::Reference& name) {
  const auto full = name.with_default_tag();
  if (full.tag().empty())
    return fail(Kind::InvalidArgument, "refusing to create a tag with a digest reference");
  const MutexLock lock(mutex_);
  Image* image = catalogue_.find(id.to_string());
  if (!image) return fail(Kind::NotFound, "No such image: {}", id.to_string());
  Record record = record_of(*image);
  record.tagged = now();
  TRY(database_.write([&](meta::Transaction& transaction) -> Result<void> {
    TRY(transaction.put(kImageTable, id.to_string(), json::encode(record)));
    return transaction.put(kTagTable, full.to_string(), json::encode(TagRecord{id.to_string()}));
  }));
  image->tagged = record.tagged;
  catalogue_.set_name(full.to_string(), id.to_string());
  return {};
}

Result<void> CatalogueStore::add_digest(const spec::Digest& id, const spec::Reference& name,
                                        const std::vector<spec::Digest>& manifests) {
  if (!name.digest()) return fail(Kind::InvalidArgument, "{} has no digest", name.familiar());
  const std::string full = name.without_tag().with_digest(*name.digest()).to_string();
  const MutexLock lock(mutex_);
  Image* image = catalogue_.find(id.to_string());
  if (!image) return fail(Kind::NotFound, "No such image: {}", id.to_string());
  Record record = record_of(*image);
  for (const auto& manifest : manifests)
    if (std::find(record.manifests.begin(), record.manifests.end(), manifest) == record.manifests.end())
      record.manifests.push_back(manifest);
  const bool known = record.manifests == image->manifests && catalogue_.id_of(full) == id.to_string();
  if (known) return {};
  TRY(database_.write([&](meta::Transaction& transaction) -> Result<void> {
    TRY(transaction.put(kImageTable, id.to_string(), json::encode(record)));
    return transaction.put(kTagTable, full, json::encode(TagRecord{id.to_string()}));
  }));
  image->manifests = std::move(record.manifests);
  catalogue_.set_name(full, id.to_string());
  return {};
}

Result<void> CatalogueStore::add_layer_blobs(const spec::Digest& id, const std::vector<spec::Digest>& blobs) {
  const MutexLock lock(mutex_);
  Image* image = catalogue_.find(id.to_string());
  if (!image) return fail(Kind::NotFound, "No such image: {}", id.to_string());
  Record record = record_of(*image);
  for (const auto& blob : blobs) {
    const bool known =
        std::find(record.layer_blobs.begin(), record.layer_blobs.end(), blob) != record.layer_blobs.end();
    // It may have gone with another image that had it; now none goes.
    if (!known && content_.contains(blob)) record.layer_blobs.push_back(blob);
  }
  if (record.layer_blobs == image->layer_blobs) return {};
  TRY(database_.write([&](meta::Transaction& transaction) {
    return transaction.put(kImageTable, id.to_string(), json::encode(record));
  }));
  image->layer_blobs = std::move(record.layer_blobs);
  return {};
}

}  // namespace skiff::image
