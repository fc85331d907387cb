#include <fcntl.h>
#include <sys/stat.h>

#include "archive/diff.h"
#include "archive/worker.h"
#include "base/ids.h"
#include "image/layer_tar.h"
#include "image/loose_layer.h"
#include "image/store_impl.h"
#include "sys/file.h"

/// Layers: in as tars or as what a container left, out as tars.
namespace skiff::image {

Result<LooseLayer> unpack_layer(Store& store, const sys::Fd& tar) {
  LooseLayer layer(store.snapshots(), TRY(store.snapshots().scratch()));
  const std::string files = layer.folder() + "/fs";
  for (const auto& path : {layer.folder(), files})
    if (::mkdir(path.c_str(), 0755) != 0) return fail_errno("mkdir {}", path);
  const sys::Fd directory = TRY(sys::open_directory(files));
  const sys::Fd recipe = TRY(
      sys::open_file(fmt::format("{}/note-{}", layer.folder(), kRecipe), O_WRONLY | O_CREAT | O_EXCL, 0600));
  archive::Root root;
  root.directory = directory.get();
  archive::ApplyOptions options = archive::layer_options();
  options.limits = store.layer_limits();
  const auto unpacked = TRY(archive::unpack(tar, root, "/", options, &recipe));
  layer.diff_id = unpacked.digest;
  layer.bytes = unpacked.stats.bytes;
  layer.tar_bytes = unpacked.tar_bytes;
  return layer;
}

namespace {

Layer layer_of(const LooseLayer& loose) {
  Layer layer;
  layer.diff_id = loose.diff_id;
  layer.snapshot = std::string(kLayerPrefix) + random_hex(12);
  layer.bytes = loose.bytes;
  layer.tar_bytes = loose.tar_bytes;
  return layer;
}

}  // namespace

Result<Layer> place_layer(LooseLayer loose, const std::string& parent) {
  Layer layer = layer_of(loose);
  TRY(loose.snapshots().adopt(loose.folder(), layer.snapshot, parent));
  return layer;
}

Result<Layer> place_served_layer(LooseLayer loose, const std::string& parent) {
  Layer layer = layer_of(loose);
  TRY(loose.snapshots().adopt_served(loose.folder(), layer.snapshot, parent));
  return layer;
}

Result<Layer> CatalogueStore::import_layer(const sys::Fd& tar, const std::string& parent) {
  return place_layer(TRY(unpack_layer(*this, tar)), parent);
}

Result<Layer> CatalogueStore::commit_layer(const std::string& active, const std::string& committed) {
  TRY(snapshots_.commit(active, committed));
  const sys::Fd directory = TRY(sys::open_directory(TRY(snapshots_.layer_directory(committed))));
  const auto diff = TRY_CONTEXT(archive::diff(directory), "layer {}", committed);
  Layer layer;
  layer.diff_id = diff.diff_id;
  layer.snapshot = committed;
  layer.bytes = diff.bytes;
  layer.tar_bytes = diff.tar_bytes;
  return layer;
}

Result<archive::Replayed> write_tar(snapshot::Store& snapshots, const std::string& key, const sys::Fd& out) {
  const sys::Fd directory = TRY(sys::open_directory(TRY(snapshots.layer_directory(key))));
  auto recipe = sys::open_file(TRY(snapshots.note(key, kRecipe)), O_RDONLY);
  if (!recipe && recipe.error().kind() != Kind::NotFound) return recipe.error();
  return archive::pack_layer(directory, recipe ? &*recipe : nullptr, out);
}

Result<void> CatalogueStore::make_whole(const std::string& snapshot) {
  for (std::string at = snapshot; !at.empty();) {
    const auto info = TRY(snapshots_.info(at));
    if (info.served && !whole_)
      return fail(Kind::Unavailable, "nobody fetches the files of {}", info.directory);
    if (info.served) TRY(whole_(at));
    at = info.parent;
  }
  return {};
}

Result<std::uint64_t> CatalogueStore::layer_tar_bytes(const Layer& layer) {
  if (layer.tar_bytes > 0) return layer.tar_bytes;
  {
    const MutexLock lock(sizes_mutex_);
    if (const auto known = counted_.find(layer.diff_id); known != counted_.end()) return known->second;
  }
  TRY(make_whole(layer.snapshot));
  const sys::Fd nowhere = TRY(sys::open_file("/dev/null", O_WRONLY));
  const auto bytes =
      TRY_CONTEXT(write_tar(snapshots_, layer.snapshot, nowhere), "layer {}", layer.diff_id.to_string())
          .bytes;
  const MutexLock lock(sizes_mutex_);
  counted_[layer.diff_id] = bytes;
  return bytes;
}

Result<void> CatalogueStore::write_layer(const Layer& layer, const sys::Fd& out) {
  TRY(make_whole(layer.snapshot));
  const auto packed =
      TRY_CONTEXT(write_tar(snapshots_, layer.snapshot, out), "layer {}", layer.diff_id.to_string());
  if (packed.digest == layer.diff_id) return {};
  return fail(Kind::DataLoss, "layer {} is damaged on disk: its {} bytes have the digest {}",
              layer.diff_id.to_string(), packed.bytes, packed.digest.to_string());
}

}  // namespace skiff::image
