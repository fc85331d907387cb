#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "image/store.h"

namespace skiff::image {

/// What the table "images" holds under an image's id.
struct Record {
  std::vector<Layer> layers;  ///< bottom first
  std::vector<spec::Digest> manifests;
  std::vector<spec::Digest> layer_blobs;
  std::string parent;
  Time tagged{};
};

/// What the table "tags" holds under a full name with tag or digest, "docker.io/library/busybox:latest".
struct TagRecord {
  std::string id;
};

/// What the table "image_uses" holds under an image's id.
struct UseRecord {
  bool pinned = false;
  Time used{};
};

void describe(json::Fields& f, UseRecord& record);
void describe(json::Fields& f, Layer& layer);
void describe(json::Fields& f, Record& record);
void describe(json::Fields& f, TagRecord& record);

}  // namespace skiff::image
