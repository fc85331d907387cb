#include <algorithm>

#include "base/ids.h"
#include "base/log.h"
#include "image/record.h"
#include "image/store_impl.h"
#include "image/trust/origins.h"

/// The rules of `docker rmi`: what a name or an id given for deletion takes along, and what stands in the
/// way.
namespace skiff::image {

namespace {

/// Whether all names are of one repository, with at most one tag among them: then an id means all of them.
Result<bool> is_single_reference(const std::vector<std::string>& names) {
  if (names.size() <= 1) return names.size() == 1;
  std::string repository;
  int tags = 0;
  for (const auto& name : names) {
    const auto reference = TRY(spec::Reference::parse(name));
    if (!repository.empty() && reference.name() != repository) return false;
    repository = reference.name();
    if (!reference.digest()) ++tags;
  }
  return tags <= 1;
}

/// Whether an image goes with `name`: all its other names are digests of the same repository.
Result<bool> is_last(const std::string& name, const std::vector<std::string>& names) {
  const auto gone = TRY(spec::Reference::parse(name));
  for (const auto& other : names) {
    if (other == name) continue;
    const auto reference = TRY(spec::Reference::parse(other));
    if (gone.digest() || !reference.digest() || reference.name() != gone.name()) return false;
  }
  return true;
}

Error conflict(const std::string& id, bool hard, std::string_view message) {
  return fail(Kind::Conflict, "conflict: unable to delete {} ({}) - {}",
              short_id(std::string_view(id).substr(7)), hard ? "cannot be forced" : "must be forced",
              message);
}

Error pinned(const std::string& id) {
  return conflict(id, false, "image is pinned; unpin it first (skiff image unpin)");
}

}  // namespace

/// Children and running containers always forbid deletion; holds, names (when asked about) and stopped
/// containers unless forced.
Result<void> CatalogueStore::check_conflict(const std::string& id, bool soft, bool active_reference,
                                            const InUse& in_use, bool* used) {
  *used = false;
  if (catalogue_.has_children(id)) return conflict(id, true, "image has dependent child images");
  bool running = false;
  const std::string container = in_use ? in_use(TRY(spec::Digest::parse(id)), &running) : "";
  if (!container.empty() && running) {
    *used = true;
    return conflict(id, true,
                    fmt::format("image is being used by running container {}", short_id(container)));
  }
  if (!soft) return {};
  if (held_.contains(id)) {
    *used = true;
    return conflict(id, false, "image is being pulled or built from");
  }
  if (active_reference && !catalogue_.names_of(id).empty())
    return conflict(id, false, "image is referenced in multiple repositories");
  if (!container.empty()) {
    *used = true;
    return conflict(id, false,
                    fmt::format("image is being used by stopped container {}", short_id(container)));
  }
  return {};
}

Result<void> CatalogueStore::untag(const std::string& name, Deletion& deletion) {
  TRY(database_.write([&](meta::Transaction& transaction) { return transaction.erase(kTagTable, name); }));
  catalogue_.erase_name(name);
  deletion.done.push_back({TRY(spec::Reference::parse(name)).familiar(), ""});
  return {};
}

/// With the last tag that an image has in a repository its digests there go too.
Result<void> CatalogueStore::untag_digests(const std::string& name, const std::string& id,
                                           Deletion& deletion) {
  const auto gone = TRY(spec::Reference::parse(name));
  if (gone.digest()) return {};
  std::vector<std::string> digests;
  for (const auto& other : catalogue_.names_of(id)) {
    const auto reference = TRY(spec::Reference::parse(other));
    if (reference.name() != gone.name()) continue;
    if (!reference.digest()) return {};
    digests.push_back(other);
  }
  for (const auto& digest : digests) TRY(untag(digest, deletion));
  return {};
}

Result<std::vector<Removal>> CatalogueStore::remove(std::string_view text, bool force, bool prune_parents,
                                                    const InUse& in_use) {
  const MutexLock lock(mutex_);
  std::optional<std::string> name;
  const std::string id = TRY(catalogue_.lookup(text, &name));
  Deletion deletion{in_use, prune_parents, {}};
  const auto names = catalogue_.names_of(id);
  const bool single = TRY(is_single_reference(names));
  if (!force && catalogue_.find(id)->pinned && (!name || TRY(is_last(*name, names)))) return pinned(id);
  bool quiet = false;
  if (name) {
    bool running = false;
    const std::string container =
        !force && single && in_use ? in_use(TRY(spec::Digest::parse(id)), &running) : "";
    if (!container.empty()) {
      return fail(
          Kind::Conflict,
          "conflict: unable to remove repository reference \"{}\" (must force) - container {} is using its "
          "referenced image {}",
          text, short_id(container), short_id(std::string_view(id).substr(7)));
    }
    TRY(untag(*name, deletion));
    TRY(untag_digests(*name, id, deletion));
    if (!catalogue_.names_of(id).empty()) return std::move(deletion.done);
    quiet = true;
  } else if (names.empty() || single) {
    bool used = false;
    TRY(check_conflict(id, !force, false, in_use, &used));
    for (const auto& tag : names) TRY(untag(tag, deletion));
  }
  TRY(delete_image(id, force, quiet, deletion));
  TRY(sweep());
  return std::move(deletion.done);
}

Result<std::vector<Removal>> CatalogueStore::evict(const spec::Digest& digest, Time since,
                                                   const InUse& in_use) {
  const MutexLock lock(mutex_);
  const std::string id = digest.to_string();
  const Image* image = catalogue_.find(id);
  if (!image) return fail(Kind::NotFound, "No such image: {}", id);
  if (image->pinned) return pinned(id);
  if (image->used >= since) return conflict(id, false, "image was used just now");
  bool used = false;
  TRY(check_conflict(id, true, false, in_use, &used));
  Deletion deletion{in_use, false, {}};
  TRY(delete_image(id, true, false, deletion));
  TRY(sweep());
  return std::move(deletion.done);
}

Result<void> CatalogueStore::sweep_layers() {
  const MutexLock lock(mutex_);
  return sweep();
}

void CatalogueStore::take_back(const spec::Digest& id) {
  const MutexLock lock(mutex_);
  if (!catalogue_.names_of(id.to_string()).empty()) return;
  const InUse nobody;
  Deletion deletion{nobody, false, {}};
  auto done = delete_image(id.to_string(), false, true, deletion);
  if (done.ok()) done = sweep();
  if (!done.ok()) log::warning("image {}: {}", id.to_string(), done.error().message());
}

/// Of a layer that no image has.
Result<void> CatalogueStore::remove_unused(const std::string& snapshot) {
  if (is_held(snapshot)) return fail(Kind::Conflict, "layer {} is held", snapshot);
  return snapshots_.remove(snapshot);
}

Result<void> CatalogueStore::remove_layer(const std::string& snapshot) {
  const MutexLock lock(mutex_);
  if (catalogue_.uses(snapshot)) return fail(Kind::Conflict, "layer {} is an image's", snapshot);
  return remove_unused(snapshot);
}

void CatalogueStore::drop_layer(const std::string& snapshot) {
  const MutexLock lock(mutex_);
  if (catalogue_.uses(snapshot)) return;
  const auto removed = remove_unused(snapshot);
  if (removed.ok()) return;
  if (removed.error().kind() == Kind::Conflict)
    orphans_.insert(snapshot);
  else if (removed.error().kind() != Kind::NotFound)
    log::warning("{}", removed.error().message());
}

/// `quiet`: a name was removed, or a parent is pruned; then an image that may not go simply stays.
Result<void> CatalogueStore::delete_image(const std::string& id, bool force, bool quiet, Deletion& deletion) {
  Image* image = catalogue_.find(id);
  if (!image) return {};
  if (image->pinned && !force) return quiet ? success() : pinned(id);
  bool used = false;
  if (auto checked = check_conflict(id, !force, true, deletion.in_use, &used); !checked) {
    const bool dangling = catalogue_.names_of(id).empty() && !catalogue_.has_children(id);
    if (quiet && (!dangling || used)) return {};
    return checked;
  }
  const std::string parent = image->parent;
  const auto layers = image->layers;
  auto blobs = image->manifests;
  blobs.insert(blobs.end(), image->layer_blobs.begin(), image->layer_blobs.end());
  const auto names = catalogue_.names_of(id);
  TRY(database_.write([&](meta::Transaction& transaction) -> Result<void> {
    for (const auto& name : names) TRY(transaction.erase(kTagTable, name));
    // Until their folders are gone the layers count as orphans, so that a crash in between leaves nothing
    // behind.
    for (const auto& layer : layers) TRY(transaction.put(kOrphanTable, layer.snapshot, "{}"));
    TRY(transaction.erase(kOriginTable, id));
    TRY(transaction.erase(kUseTable, id));
    return transaction.erase(kImageTable, id);
  }));
  for (const auto& name : names) {
    catalogue_.erase_name(name);
    deletion.done.push_back({TRY(spec::Reference::parse(name)).familiar(), ""});
  }
  catalogue_.erase(id);
  deletion.done.push_back({"", id});
  if (auto removed = content_.remove(TRY(spec::Digest::parse(id))); !removed)
    log::warning("image {}: {}", id, removed.error().message());
  drop_blobs(blobs);
  TRY(drop_layers(layers, deletion));
  if (!deletion.prune_parents || parent.empty()) return {};
  return delete_image(parent, false, true, deletion);
}

/// An index may be that of several images, and so may a layer that was kept.
void CatalogueStore::drop_blobs(const std::vector<spec::Digest>& blobs) {
  for (const auto& blob : blobs) {
    const auto names_it = [&](const std::vector<spec::Digest>& named) {
      return std::find(named.begin(), named.end(), blob) != named.end();
    };
    const auto& images = catalogue_.images();
    const bool used = std::any_of(images.begin(), images.end(), [&](const auto& entry) {
      return names_it(entry.second.manifests) || names_it(entry.second.layer_blobs);
    });
    if (used) continue;
    if (auto removed = content_.remove(blob); !removed && removed.error().kind() != Kind::NotFound)
      log::warning("blob {}: {}", blob.to_string(), removed.error().message());
  }
}

/// From the top down, because a layer goes only when nothing stands on it.
Result<void> CatalogueStore::drop_layers(std::vector<Layer> layers, Deletion& deletion) {
  std::reverse(layers.begin(), layers.end());
  for (const auto& layer : layers) {
    if (!catalogue_.uses(layer.snapshot)) {
      const auto info = snapshots_.info(layer.snapshot);
      auto removed = remove_unused(layer.snapshot);
      if (!removed && removed.error().kind() == Kind::Conflict) {
        orphans_.insert(layer.snapshot);
        continue;
      }
      if (!removed && removed.error().kind() != Kind::NotFound) return removed;
      if (info && info->chain_id) deletion.done.push_back({"", info->chain_id->to_string()});
    }
    TRY(database_.write(
        [&](meta::Transaction& transaction) { return transaction.erase(kOrphanTable, layer.snapshot); },
        meta::Durability::Relaxed));
  }
  return {};
}

/// Tries the orphans again, until no more of them go.
Result<void> CatalogueStore::sweep() {
  for (bool again = !orphans_.empty(); again;) {
    again = false;
    for (auto at = orphans_.begin(); at != orphans_.end();) {
      const std::string key = *at;
      if (!catalogue_.uses(key)) {
        auto removed = remove_unused(key);
        if (!removed && removed.error().kind() == Kind::Conflict) {
          ++at;
          continue;
        }
        if (!removed && removed.error().kind() != Kind::NotFound) return removed;
      }
      at = orphans_.erase(at);
      again = true;
      TRY(database_.write(
          [&](meta::Transaction& transaction) { return transaction.erase(kOrphanTable, key); },
          meta::Durability::Relaxed));
    }
  }
  return {};
}

}  // namespace skiff::image
