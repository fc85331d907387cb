#include "image/transfer/mend.h"

#include "base/log.h"
#include "base/undo.h"
#include "image/transfer/layer_progress.h"
#include "image/transfer/unpack.h"

namespace skiff::image {
namespace {

Result<void> mend_layer(Store& store, Downloads& downloads, const Source& source, const Image& image,
                        std::size_t index, Progress& progress, const std::stop_token& stop) {
  const Layer& own = image.layers[index];
  LayerProgress part(progress, downloads.get(source.manifest.layers[index], source.repository));
  const Layer made = TRY(unpack(store, part.download(), index > 0 ? image.layers[index - 1].snapshot : "",
                                stop, [&](std::uint64_t bytes) { part.unpacked(bytes); }));
  part.download().used();
  // After the exchange it has the damaged files.
  UndoStack undo;
  undo.add([&] {
    if (auto removed = store.snapshots().remove(made.snapshot); !removed.ok())
      log::warning("{}", removed.error().message());
  });
  if (made.diff_id != own.diff_id)
    return fail(Kind::DataLoss, "layer {} holds {}, not {}", source.manifest.layers[index].digest.to_string(),
                made.diff_id.to_string(), own.diff_id.to_string());
  TRY(store.mend_layer(own.snapshot, made.snapshot));
  part.done();
  return {};
}

}  // namespace

Result<std::size_t> mend_layers(Store& store, Downloads& downloads, const Source& source, const Image& image,
                                Progress& progress, const std::stop_token& stop) {
  std::size_t mended = 0;
  for (std::size_t i = 0; i < image.layers.size(); ++i) {
    const auto sound = store.snapshots().sound(image.layers[i].snapshot);
    if (sound.ok()) continue;
    if (sound.error().kind() != Kind::DataLoss) return sound.error();
    if (source.manifest.layers.size() != image.layers.size())
      return Error(Kind::InvalidArgument,
                   "invalid manifest: layers from manifest don't match image configuration");
    TRY(mend_layer(store, downloads, source, image, i, progress, stop));
    ++mended;
  }
  return mended;
}

}  // namespace skiff::image
