#include "engine/image_budget.h"

#include <algorithm>

#include "base/log.h"
#include "base/strings.h"
#include "build/service.h"
#include "engine/container.h"
#include "engine/events.h"

namespace skiff::engine {
namespace {

/// The layers of images, each counted once however many have it.
class Layers {
 public:
  explicit Layers(const std::vector<image::Image>& images) {
    for (const auto& image : images)
      for (const auto& layer : image.layers)
        if (++users_[layer.snapshot] == 1) total_ += layer.bytes;
  }
  void forget(const image::Image& image) {
    for (const auto& layer : image.layers)
      if (--users_[layer.snapshot] == 0) total_ -= layer.bytes;
  }
  std::uint64_t total() const { return total_; }

 private:
  std::map<std::string, int> users_;
  std::uint64_t total_ = 0;
};

std::string size_text(std::uint64_t bytes) { return human_size(static_cast<double>(bytes)); }

std::string name_of(const image::Image& image) {
  return image.tags.empty() ? image.id.to_string() : image.tags.front();
}

}  // namespace

void ImageBudget::keep(Time since) {
  const auto budget = static_cast<std::uint64_t>(parts_.config.image_budget);
  if (budget == 0) return;
  const MutexLock lock(mutex_);
  auto images = parts_.images.list();
  if (!images.ok()) return log::warning("image budget: {}", images.error().message());
  Layers layers(*images);
  if (layers.total() <= budget) return;
  std::sort(images->begin(), images->end(), [](const auto& a, const auto& b) { return a.used < b.used; });
  bool evicted = false;
  for (bool again = true; again && layers.total() > budget;) {
    again = false;  // an image may go once its children went
    for (auto image = images->begin(); image != images->end() && layers.total() > budget;) {
      if (image->pinned || image->used >= since || !evict(*image, since, layers.total())) {
        ++image;
        continue;
      }
      layers.forget(*image);
      image = images->erase(image);
      again = evicted = true;
    }
  }
  if (layers.total() > budget)
    log::warning("images take {}, more than the budget of {}: the others are pinned, in use or new",
                 size_text(layers.total()), size_text(budget));
  if (evicted) drop_build_cache();
}

bool ImageBudget::evict(const image::Image& image, Time since, std::uint64_t total) {
  const std::string id = image.id.to_string();
  const auto removals = parts_.images.evict(
      image.id, since, [this](const spec::Digest& of, bool* running) { return set_.user_of(of, running); });
  if (!removals.ok()) {
    if (removals.error().kind() != Kind::Conflict && removals.error().kind() != Kind::NotFound)
      log::warning("image budget: {}", removals.error().message());
    return false;
  }
  for (const auto& removal : *removals)
    if (!removal.untagged.empty()) events_.publish("image", "untag", id, {{"name", removal.untagged}});
  events_.publish("image", "delete", id, {{"name", id}});
  events_.publish("image", "evict", id, {{"name", name_of(image)}, {"size", std::to_string(image.size)}});
  log::info("image {} ({}), last used {}, was removed: images took {} of a budget of {}", name_of(image),
            size_text(image.size), format_rfc3339(image.used), size_text(total),
            size_text(static_cast<std::uint64_t>(parts_.config.image_budget)));
  return true;
}

/// Steps of builds may stand on layers of what went; those that no image has are what can be made again.
void ImageBudget::drop_build_cache() {
  if (!parts_.builds) return;
  const auto pruned = parts_.builds->prune_cache(false, std::nullopt);
  if (!pruned.ok()) {
    if (pruned.error().kind() != Kind::Conflict) log::warning("image budget: {}", pruned.error().message());
    return;
  }
  if (pruned->bytes > 0) {
    log::info("image budget: build cache of {} was removed", size_text(pruned->bytes));
    events_.publish("builder", "prune", "", {{"reclaimed", std::to_string(pruned->bytes)}});
  }
  if (auto swept = parts_.images.sweep_layers(); !swept.ok())
    log::warning("image budget: {}", swept.error().message());
}

}  // namespace skiff::engine
