#include "image/bundle_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <set>
#include <thread>

#include "archive/worker.h"
#include "base/ids.h"
#include "base/strings.h"
#include "image/store_impl.h"
#include "sys/file.h"

namespace skiff::image {

namespace {

using archive::BundleEntry;

/// A link may stand for a link; in a ring it ends here.
constexpr int kMostLinks = 8;

}  // namespace

BundleReader::~BundleReader() { store_.snapshots().discard(folder_); }

Result<std::unique_ptr<BundleReader>> BundleReader::read(Store& store, const sys::Fd& tar) {
  std::unique_ptr<BundleReader> reader(new BundleReader(store, TRY(store.snapshots().scratch())));
  TRY(reader->fill(tar));
  return reader;
}

Result<void> BundleReader::fill(const sys::Fd& tar) {
  std::set<std::string> known;
  for (const Image& image : TRY(store_.list()))
    for (const Layer& layer : image.layers) {
      layers_.emplace(layer.diff_id, layer);
      known.emplace(layer.diff_id.hex());
    }
  const sys::Fd folder = TRY(sys::open_directory(folder_));
  for (auto& entry : TRY(archive::unbundle(tar, folder, known))) {
    std::string name = entry.name;
    entries_.insert_or_assign(std::move(name), std::move(entry));
  }
  return {};
}

const BundleEntry* BundleReader::find(std::string_view name) const {
  for (int i = 0; i < kMostLinks; ++i) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return nullptr;
    if (found->second.kind != BundleEntry::Kind::Link) return &found->second;
    name = found->second.link;
  }
  return nullptr;
}

Result<std::string> BundleReader::document(const std::string& name) const {
  const BundleEntry* entry = find(name);
  if (!entry || entry->kind != BundleEntry::Kind::Document)
    return fail(Kind::InvalidArgument, "invalid archive: it has no file {}", quote(name));
  const sys::Fd folder = TRY(sys::open_directory(folder_));
  const sys::Fd file = TRY(sys::open_at(folder, entry->place, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
  return sys::read_all(file, archive::kMostDocument);
}

Result<Layer> BundleReader::layer(const std::string& name, const spec::Digest& diff_id,
                                  const std::string& parent) {
  const BundleEntry* entry = find(name);
  if (!entry || entry->kind == BundleEntry::Kind::Document)
    return fail(Kind::InvalidArgument, "invalid archive: it has no layer {}", quote(name));
  if (!entry->error.empty()) {
    const Kind kind =
        entry->error_kind == static_cast<int>(Kind::Forbidden) ? Kind::Forbidden : Kind::InvalidArgument;
    return fail(kind, "layer {}: {}", quote(name), entry->error);
  }
  if (entry->digest != diff_id.to_string())
    return fail(Kind::InvalidArgument, "layer {}: its diff id is {}, and {} is wanted", quote(name),
                quote(entry->digest), quote(diff_id.to_string()));
  if (const auto known = layers_.find(diff_id); known != layers_.end()) return copy(known->second, parent);
  Layer layer;
  layer.diff_id = diff_id;
  layer.snapshot = std::string(kLayerPrefix) + random_hex(12);
  layer.bytes = entry->bytes;
  layer.tar_bytes = entry->tar_bytes;
  TRY(store_.snapshots().adopt(folder_ + "/" + entry->place, layer.snapshot, parent));
  layers_.emplace(diff_id, layer);
  return layer;
}

/// The same tar as another snapshot: layers of one digest on different parents.
Result<Layer> BundleReader::copy(const Layer& from, const std::string& parent) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  sys::Fd reading(ends[0]);
  sys::Fd writing(ends[1]);
  Result<void> written;
  std::thread writer([&] {
    written = store_.write_layer(from, writing);
    writing.reset();
  });
  auto layer = store_.import_layer(reading, parent);
  reading.reset();  // a writer whose reader failed ends with EPIPE
  writer.join();
  if (layer && !written.ok()) {
    TRY(store_.snapshots().remove(layer->snapshot));
    return written.error();
  }
  return layer;
}

}  // namespace skiff::image
