#include "image/serve.h"

#include "base/log.h"
#include "image/push_manifest.h"
#include "spec/manifest.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

Result<std::string> manifest_of(Store& store, const Image& image) {
  const std::string config = TRY(store.content().read(image.id));
  std::vector<KnownBlob> layers;
  for (const auto& layer : image.layers) {
    KnownBlob blob;
    blob.digest = layer.diff_id;
    blob.size = static_cast<std::int64_t>(TRY(store.layer_tar_bytes(layer)));
    blob.media_type = spec::oci::kDockerLayer;
    layers.push_back(std::move(blob));
  }
  return push_manifest(image.id, config.size(), layers).text;
}

}  // namespace

Result<std::vector<spec::ServedImage>> served_images(Store& store) {
  std::vector<spec::ServedImage> served;
  for (const auto& image : TRY(store.list())) {
    if (image.tags.empty()) continue;
    auto manifest = manifest_of(store, image);
    if (manifest.ok())
      served.push_back({image.tags, *std::move(manifest)});
    else
      log::warning("image {} is not served: {}", image.id.to_string(), manifest.error().message());
  }
  return served;
}

Result<void> write_served_blob(Store& store, const spec::Digest& blob, const sys::Fd& out) {
  for (const auto& image : TRY(store.list())) {
    if (image.tags.empty()) continue;
    if (image.id == blob) return sys::write_all(out, TRY(store.content().read(blob)));
    for (const auto& layer : image.layers)
      if (layer.diff_id == blob) return store.write_layer(layer, out);
  }
  return fail(Kind::NotFound, "no image here has a blob {}", blob.to_string());
}

}  // namespace skiff::image
