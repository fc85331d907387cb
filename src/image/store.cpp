#include "image/store.h"

#include <algorithm>

#include "base/log.h"
#include "image/record.h"
#include "image/store_impl.h"

namespace skiff::image {

namespace {

/// What is known of an image from its record and its config.
Image assemble(const spec::Digest& id, spec::oci::Image config, Record record) {
  Image image;
  image.id = id;
  image.config = std::move(config);
  image.parent = std::move(record.parent);
  image.tagged = record.tagged;
  image.manifests = std::move(record.manifests);
  image.layers = std::move(record.layers);
  for (const auto& layer : image.layers) image.size += layer.bytes;
  if (!image.layers.empty()) image.snapshot = image.layers.back().snapshot;
  return image;
}

Record record_of(const Image& image) {
  Record record;
  record.layers = image.layers;
  record.manifests = image.manifests;
  record.parent = image.parent;
  record.tagged = image.tagged;
  return record;
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(content::Store& content, snapshot::Store& snapshots,
                                           meta::Database& database) {
  auto store = std::make_unique<CatalogueStore>(content, snapshots, database);
  TRY(store->load());
  return store;
}

Result<void> CatalogueStore::load() {
  const MutexLock lock(mutex_);
  std::vector<std::pair<std::string, std::string>> images;
  std::vector<std::pair<std::string, std::string>> tags;
  TRY(database_.read([&](meta::Transaction& transaction) -> Result<void> {
    images = TRY(transaction.scan(kImageTable));
    tags = TRY(transaction.scan(kTagTable));
    for (auto& [key, text] : TRY(transaction.scan(kOrphanTable))) orphans_.insert(key);
    return {};
  }));
  for (const auto& [key, text] : images) {
    const auto id = TRY_CONTEXT(spec::Digest::parse(key), "image record {}", key);
    auto config = content_.read(id);
    // One damaged image must not keep the engine from starting; it is named, and everything else works.
    if (!config) {
      log::error("image {}: {}", key, config.error().message());
      continue;
    }
    auto parsed = TRY_CONTEXT(json::decode<spec::oci::Image>(*config), "config of image {}", key);
    auto record = TRY_CONTEXT(json::decode<Record>(text), "image record {}", key);
    catalogue_.add(assemble(id, std::move(parsed), std::move(record)));
  }
  for (const auto& [name, text] : tags) {
    const auto record = TRY_CONTEXT(json::decode<TagRecord>(text), "name {}", name);
    if (catalogue_.find(record.id)) catalogue_.set_name(name, record.id);
  }
  TRY(adopt_orphans());
  return sweep();
}

/// Layers that a crash left between their making and the image they were for.
Result<void> CatalogueStore::adopt_orphans() {
  for (const auto& info : TRY(snapshots_.list()))
    if ((info.key.starts_with(kImportPrefix) || info.key.starts_with(kLayerPrefix)) &&
        !catalogue_.uses(info.key))
      orphans_.insert(info.key);
  return {};
}

Result<Image> CatalogueStore::resolve(std::string_view name) {
  const MutexLock lock(mutex_);
  return *catalogue_.find(TRY(catalogue_.lookup(name)));
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
  const MutexLock lock(mutex_);
  if (const Image* known = catalogue_.find(id.to_string())) return *known;
  // A layer that was there may have gone with another image meanwhile; now none goes.
  for (const auto& layer : layers) TRY(snapshots_.info(layer.snapshot));
  Record record;
  record.layers = layers;
  record.parent = parent;
  TRY(database_.write([&](meta::Transaction& transaction) -> Result<void> {
    for (const auto& layer : layers) TRY(transaction.erase(kOrphanTable, layer.snapshot));
    return transaction.put(kImageTable, id.to_string(), json::encode(record));
  }));
  for (const auto& layer : layers) orphans_.erase(layer.snapshot);
  catalogue_.add(assemble(id, std::move(config), std::move(record)));
  return *catalogue_.find(id.to_string());
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

}  // namespace skiff::image
