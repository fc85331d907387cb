#include "image/transfer/mend.h"

#include "base/undo.h"
#include "image/loose_layer.h"
#include "image/transfer/layer_progress.h"

namespace skiff::image {
namespace {

Result<void> mend_layer(Store& store, Unpackings& unpackings, const Source& source, const Image& image,
                        std::size_t index, Progress& progress, const std::stop_token& stop) {
  const Layer& own = image.layers[index];
  const auto unpacking = unpackings.get(source.manifest.layers[index], source.repository);
  LayerProgress part(progress, unpacking->download());
  auto loose = TRY(unpacking->take(stop));
  part.download().used();
  if (loose.diff_id != own.diff_id)
    return fail(Kind::DataLoss, "layer {} holds {}, not {}", source.manifest.layers[index].digest.to_string(),
                loose.diff_id.to_string(), own.diff_id.to_string());
  const Layer made = TRY(place_layer(std::move(loose), index > 0 ? image.layers[index - 1].snapshot : ""));
  // After the exchange it has the damaged files.
  UndoStack undo;
  undo.add([&] { store.drop_layer(made.snapshot); });
  TRY(store.mend_layer(own.snapshot, made.snapshot));
  part.done();
  return {};
}

}  // namespace

Result<void> mend_layers(Store& store, Unpackings& unpackings, const Source& source, const Image& image,
                         bool& mended, Progress& progress, const std::stop_token& stop) {
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    const auto sound = store.snapshots().sound(image.layers[i].snapshot);
    if (sound.ok()) continue;
    if (sound.error().kind() != Kind::DataLoss) return sound.error();
    if (source.manifest.layers.size() != image.layers.size())
      return Error(Kind::InvalidArgument,
                   "invalid manifest: layers from manifest don't match image configuration");
    TRY(mend_layer(store, unpackings, source, image, i, progress, stop));
    mended = true;
  }
  return {};
}

}  // namespace skiff::image
