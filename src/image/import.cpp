#include "image/import.h"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "base/undo.h"

namespace skiff::image {

Result<Image> import_rootfs(Store& store, const sys::Fd& tar, spec::oci::Image config,
                            spec::oci::History history, const std::optional<spec::Reference>& name) {
  Layer layer = TRY(store.import_layer(tar, ""));
  UndoStack undo;  // unless an image has it
  undo.add([&] { store.drop_layer(layer.snapshot); });
  config.rootfs = {};
  config.rootfs.diff_ids = {layer.diff_id};
  config.history = {std::move(history)};
  // The image may exist, with the same layer in a snapshot of its own; then ours goes again.
  const auto hold = store.hold(id_of(config));  // until it has its name
  auto image = TRY(store.create(config, {layer}, ""));
  if (name) {
    TRY(store.tag(image.id, *name));
    image = TRY(store.resolve(image.id.to_string()));
  }
  return image;
}

Result<Layer> import_written(Store& store, const std::string& parent,
                             const std::function<Result<void>(const sys::Fd& out)>& write) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  sys::Fd reading(ends[0]);
  sys::Fd writing(ends[1]);
  Result<void> written;
  std::thread writer([&] {
    written = write(writing);
    writing.reset();
  });
  auto layer = store.import_layer(reading, parent);
  reading.reset();  // a writer whose reader failed ends with EPIPE
  writer.join();
  if (layer && !written.ok()) {
    store.drop_layer(layer->snapshot);
    return written.error();
  }
  return layer;
}

}  // namespace skiff::image
