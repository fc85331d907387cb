#include <algorithm>

#include "base/log.h"
#include "image/record.h"
#include "image/store_impl.h"

/// What is remembered of an image's use: when it was used last, and whether it is pinned. It stands in a
/// table of its own, so that noting a use does not rewrite the image's record.
namespace skiff::image {
namespace {

/// A use soon after one that is written down changes nothing that a person would notice.
constexpr std::chrono::minutes kNoted{1};

}  // namespace

Result<void> CatalogueStore::write_use(const Image& image, bool pinned, Time used,
                                       meta::Durability durability) {
  return database_.write(
      [&](meta::Transaction& transaction) {
        return transaction.put(kUseTable, image.id.to_string(), json::encode(UseRecord{pinned, used}));
      },
      durability);
}

Result<spec::Digest> CatalogueStore::pin(std::string_view name, bool pinned) {
  const MutexLock lock(mutex_);
  Image* image = catalogue_.find(TRY(catalogue_.lookup(name)));
  if (image->pinned != pinned) {
    TRY(write_use(*image, pinned, image->used, meta::Durability::Full));
    image->pinned = pinned;
  }
  return image->id;
}

void CatalogueStore::note_use(Image& image) {
  image.used = now();
  // A clock that was set back is no reason to write nothing.
  if (image.used >= image.noted && image.used - image.noted < kNoted) return;
  image.noted = image.used;
  if (auto written = write_use(image, image.pinned, image.used, meta::Durability::Relaxed); !written.ok())
    log::warning("image {}: {}", image.id.to_string(), written.error().message());
}

std::shared_ptr<const void> CatalogueStore::hold(const spec::Digest& id) {
  const std::string text = id.to_string();
  const MutexLock lock(mutex_);
  held_.insert(text);
  return {static_cast<const void*>(this), [this, text](const void*) {
            const MutexLock releasing(mutex_);
            held_.erase(held_.find(text));
          }};
}

std::shared_ptr<const void> CatalogueStore::hold_layers(const std::vector<std::string>& snapshots) {
  const MutexLock lock(mutex_);
  held_layers_.insert(snapshots.begin(), snapshots.end());
  return {static_cast<const void*>(this), [this, snapshots](const void*) {
            const MutexLock releasing(mutex_);
            bool waited_for = false;
            for (const auto& snapshot : snapshots) {
              held_layers_.erase(held_layers_.find(snapshot));
              waited_for = waited_for || orphans_.contains(snapshot);
            }
            if (waited_for) sweep_released();
          }};
}

std::shared_ptr<const void> CatalogueStore::hold_layers_of(const std::string& prefix) {
  const MutexLock lock(mutex_);
  held_prefixes_.insert(prefix);
  return {static_cast<const void*>(this), [this, prefix](const void*) {
            const MutexLock releasing(mutex_);
            held_prefixes_.erase(held_prefixes_.find(prefix));
            sweep_released();
          }};
}

bool CatalogueStore::is_held(const std::string& snapshot) const {
  return held_layers_.contains(snapshot) || std::ranges::any_of(held_prefixes_, [&](const auto& prefix) {
           return snapshot.starts_with(prefix);
         });
}

void CatalogueStore::sweep_released() {
  if (auto swept = sweep(); !swept.ok()) log::warning("{}", swept.error().message());
}

void CatalogueStore::used(const spec::Digest& id) {
  const MutexLock lock(mutex_);
  if (Image* image = catalogue_.find(id.to_string())) note_use(*image);
}

}  // namespace skiff::image
