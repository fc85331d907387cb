#include "image/archive_reader.h"

#include <fcntl.h>

#include <set>

#include "archive/worker.h"
#include "base/ids.h"
#include "base/strings.h"
#include "image/import.h"
#include "image/store_impl.h"
#include "sys/file.h"

namespace skiff::image {

namespace {

using archive::ImageArchiveEntry;

/// A link may stand for a link; in a ring it ends here.
constexpr int kMostLinks = 8;

}  // namespace

ArchiveReader::~ArchiveReader() { store_.snapshots().discard(folder_); }

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::read(Store& store, const sys::Fd& tar,
                                                           const archive::OnEntryProgress& progress) {
  std::unique_ptr<ArchiveReader> reader(new ArchiveReader(store, TRY(store.snapshots().scratch())));
  TRY(reader->fill(tar, progress));
  return reader;
}

Result<void> ArchiveReader::fill(const sys::Fd& tar, const archive::OnEntryProgress& progress) {
  std::set<std::string> known;
  const auto images = TRY(store_.list());
  std::vector<std::string> snapshots;
  for (const Image& image : images)
    for (const Layer& layer : image.layers) snapshots.push_back(layer.snapshot);
  holds_.push_back(store_.hold_layers(snapshots));
  for (const Image& image : images)
    for (const Layer& layer : image.layers) {
      if (!store_.snapshots().sound(layer.snapshot)) continue;
      layers_.emplace(layer.diff_id, layer);
      known.emplace(layer.diff_id.hex());
    }
  const sys::Fd folder = TRY(sys::open_directory(folder_));
  for (auto& entry : TRY(archive::unpack_images(tar, folder, known, store_.layer_limits(), progress))) {
    std::string name = entry.name;
    entries_.insert_or_assign(std::move(name), std::move(entry));
  }
  return {};
}

const ImageArchiveEntry* ArchiveReader::find(std::string_view name) const {
  for (int i = 0; i < kMostLinks; ++i) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return nullptr;
    if (found->second.kind != ImageArchiveEntry::Kind::Link) return &found->second;
    name = found->second.link;
  }
  return nullptr;
}

Result<std::string> ArchiveReader::document(const std::string& name) const {
  const ImageArchiveEntry* entry = find(name);
  if (!entry || entry->kind != ImageArchiveEntry::Kind::Document)
    return fail(Kind::InvalidArgument, "invalid archive: it has no file {}", quote(name));
  const sys::Fd folder = TRY(sys::open_directory(folder_));
  const sys::Fd file = TRY(sys::open_at(folder, entry->place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  return sys::read_all(file, archive::kMostDocument);
}

/// The same tar as another snapshot: layers of one digest on different parents.
Result<Layer> ArchiveReader::copy_of(const Layer& known, const std::string& parent) {
  return import_written(store_, parent, [&](const sys::Fd& out) { return store_.write_layer(known, out); });
}

Result<Layer> ArchiveReader::layer(const std::string& name, const spec::Digest& diff_id,
                                   const std::string& parent) {
  const ImageArchiveEntry* entry = find(name);
  const auto known = layers_.find(diff_id);
  if (!entry && known != layers_.end()) return copy_of(known->second, parent);
  if (!entry || entry->kind == ImageArchiveEntry::Kind::Document)
    return fail(Kind::InvalidArgument, "invalid archive: it has no layer {}", quote(name));
  if (!entry->error.empty()) {
    const Kind kind =
        entry->error_kind == static_cast<int>(Kind::Forbidden) ? Kind::Forbidden : Kind::InvalidArgument;
    return fail(kind, "layer {}: {}", quote(name), entry->error);
  }
  if (entry->digest != diff_id.to_string())
    return fail(Kind::InvalidArgument, "layer {}: its diff id is {}, and {} is wanted", quote(name),
                quote(entry->digest), quote(diff_id.to_string()));
  if (known != layers_.end()) return copy_of(known->second, parent);
  Layer layer;
  layer.diff_id = diff_id;
  layer.snapshot = std::string(kLayerPrefix) + random_hex(12);
  layer.bytes = entry->bytes;
  layer.tar_bytes = entry->tar_bytes;
  TRY(store_.snapshots().adopt(folder_ + "/" + entry->place, layer.snapshot, parent));
  holds_.push_back(store_.hold_layers({layer.snapshot}));
  layers_.emplace(diff_id, layer);
  return layer;
}

}  // namespace skiff::image
