#pragma once

#include <map>
#include <set>

#include "base/thread.h"
#include "image/catalogue.h"
#include "image/store.h"

namespace skiff::image {

class CatalogueStore final : public Store {
 public:
  CatalogueStore(content::Store& content, snapshot::Store& snapshots, meta::Database& database,
                 const spec::LayerLimits& limits)
      : content_(content), snapshots_(snapshots), database_(database), limits_(limits) {}

  Result<void> load() EXCLUDES(mutex_);

  Result<Image> resolve(std::string_view name) override;
  Result<spec::Digest> id_of(std::string_view name) override;
  Result<std::vector<Image>> list() override;
  Result<Image> create(const spec::oci::Image& config, const std::vector<Layer>& layers,
                       const std::string& parent) override;
  Result<Image> create_from(const std::string& config, const std::vector<Layer>& layers,
                            const std::string& parent) override;
  Result<void> tag(const spec::Digest& id, const spec::Reference& name) override;
  Result<void> add_digest(const spec::Digest& id, const spec::Reference& name,
                          const std::vector<spec::Digest>& manifests) override;
  Result<void> add_layer_blobs(const spec::Digest& id, const std::vector<spec::Digest>& blobs) override;
  Result<std::vector<Removal>> remove(std::string_view name, bool force, bool prune_parents,
                                      const InUse& in_use) override;
  Result<spec::Digest> pin(std::string_view name, bool pinned) override;
  void used(const spec::Digest& id) override;
  std::shared_ptr<const void> hold(const spec::Digest& id) override;
  std::shared_ptr<const void> hold_layers(const std::vector<std::string>& snapshots) override;
  std::shared_ptr<const void> hold_layers_of(const std::string& prefix) override;
  Result<std::vector<Removal>> evict(const spec::Digest& id, Time since, const InUse& in_use) override;
  void take_back(const spec::Digest& id) override;
  Result<void> sweep_layers() override;
  Result<void> remove_layer(const std::string& snapshot) override;
  void drop_layer(const std::string& snapshot) override;
  Result<Layer> import_layer(const sys::Fd& tar, const std::string& parent) override;
  Result<Layer> commit_layer(const std::string& active, const std::string& committed) override;
  Result<std::uint64_t> layer_tar_bytes(const Layer& layer) override;
  Result<void> write_layer(const Layer& layer, const sys::Fd& out) override;

  Result<void> mend_layer(const std::string& snapshot, const std::string& sound) override;
  void set_while_still(WhileStill while_still) override { while_still_ = std::move(while_still); }

  Result<void> make_whole(const std::string& snapshot) override;
  void set_whole(std::function<Result<void>(const std::string& snapshot)> whole) override {
    whole_ = std::move(whole);
  }

  const spec::LayerLimits& layer_limits() override { return limits_; }
  snapshot::Store& snapshots() override { return snapshots_; }
  content::Store& content() override { return content_; }

 private:
  struct Deletion {
    const InUse& in_use;
    bool prune_parents;
    std::vector<Removal> done;
  };
  Result<void> load_image(const std::string& key, const std::string& text) REQUIRES(mutex_);
  Result<void> adopt_orphans() REQUIRES(mutex_);
  Result<void> remove_unnamed_blobs() REQUIRES(mutex_);
  Result<Image> heal(const Image& known, const spec::oci::Image& config, const std::vector<Layer>& layers)
      EXCLUDES(mutex_);
  Result<void> mend_from_copy(const std::string& snapshot, const std::string& parent, const Layer& sound);
  Result<void> fill_from_copy(const std::string& snapshot, const std::string& parent, const Layer& whole);
  // use.cpp
  void note_use(Image& image) REQUIRES(mutex_);
  Result<void> write_use(const Image& image, bool pinned, Time used, meta::Durability durability)
      REQUIRES(mutex_);
  // removal.cpp
  void drop_blobs(const std::vector<spec::Digest>& blobs) REQUIRES(mutex_);
  Result<void> untag_digests(const std::string& name, const std::string& id, Deletion& deletion)
      REQUIRES(mutex_);
  Result<void> check_conflict(const std::string& id, bool soft, bool active_reference, const InUse& in_use,
                              bool* used) REQUIRES(mutex_);
  Result<void> untag(const std::string& name, Deletion& deletion) REQUIRES(mutex_);
  Result<void> delete_image(const std::string& id, bool force, bool quiet, Deletion& deletion)
      REQUIRES(mutex_);
  Result<void> drop_layers(std::vector<Layer> layers, Deletion& deletion) REQUIRES(mutex_);
  bool is_held(const std::string& snapshot) const REQUIRES(mutex_);
  void sweep_released() REQUIRES(mutex_);
  Result<void> remove_unused(const std::string& snapshot) REQUIRES(mutex_);
  Result<void> sweep() REQUIRES(mutex_);

  content::Store& content_;
  snapshot::Store& snapshots_;
  meta::Database& database_;
  const spec::LayerLimits limits_;
  WhileStill while_still_;
  std::function<Result<void>(const std::string& snapshot)> whole_;
  Mutex mutex_;
  Catalogue catalogue_ GUARDED_BY(mutex_);
  std::multiset<std::string> held_ GUARDED_BY(mutex_);         ///< ids of images, once for each hold
  std::multiset<std::string> held_layers_ GUARDED_BY(mutex_);  ///< snapshots, once for each hold
  std::multiset<std::string> held_prefixes_ GUARDED_BY(mutex_);
  /// Layers without an image that could not be removed yet, because something stands on them or holds them.
  std::set<std::string> orphans_ GUARDED_BY(mutex_);
  Mutex sizes_mutex_;
  /// Of tars whose layers' records do not say it: to count one means to make it.
  std::map<spec::Digest, std::uint64_t> counted_ GUARDED_BY(sizes_mutex_);
};

/// Keys of layers' snapshots.
inline constexpr std::string_view kLayerPrefix = "layer-";

inline constexpr std::string_view kImageTable = "images";
inline constexpr std::string_view kTagTable = "tags";
inline constexpr std::string_view kUseTable = "image_uses";
inline constexpr std::string_view kOrphanTable = "image_orphans";

}  // namespace skiff::image
