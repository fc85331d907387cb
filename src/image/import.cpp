#include "image/import.h"

#include "base/log.h"
#include "base/undo.h"

namespace skiff::image {

Result<Image> import_rootfs(Store& store, const sys::Fd& tar, spec::oci::Image config,
                            spec::oci::History history, const std::optional<spec::Reference>& name) {
  Layer layer = TRY(store.import_layer(tar, ""));
  UndoStack undo;
  undo.add([&] {
    if (auto removed = store.snapshots().remove(layer.snapshot); !removed)
      log::warning("{}", removed.error().message());
  });
  config.rootfs = {};
  config.rootfs.diff_ids = {layer.diff_id};
  config.history = {std::move(history)};
  auto image = TRY(store.create(config, {layer}, ""));
  // The image may have existed, with the same layer in a snapshot of its own; then ours goes again.
  if (image.snapshot == layer.snapshot) undo.dismiss();
  if (name) {
    TRY(store.tag(image.id, *name));
    image = TRY(store.resolve(image.id.to_string()));
  }
  return image;
}

}  // namespace skiff::image
