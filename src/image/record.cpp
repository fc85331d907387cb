#include "image/record.h"

namespace skiff::image {

void describe(json::Fields& f, Layer& layer) {
  spec::digest_field(f, "diffId", layer.diff_id);
  f("snapshot", layer.snapshot);
  f("bytes", layer.bytes);
  f("tarBytes", layer.tar_bytes, json::Omit::Empty);
}

void describe(json::Fields& f, Record& record) {
  f("layers", record.layers);
  spec::digest_list_field(f, "manifests", record.manifests);
  spec::digest_list_field(f, "layerBlobs", record.layer_blobs);
  f("parent", record.parent, json::Omit::Empty);
  f("tagged", record.tagged);
}

void describe(json::Fields& f, UseRecord& record) {
  f("pinned", record.pinned, json::Omit::Empty);
  f("used", record.used);
}

void describe(json::Fields& f, TagRecord& record) { f("id", record.id); }

}  // namespace skiff::image
