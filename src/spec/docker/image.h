#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "spec/docker/container.h"
#include "spec/oci_image.h"

/// The Engine API's images.
namespace skiff::spec::docker {

/// What we say of an image beyond Docker, under the key "Skiff".
struct ImageExtra {
  bool pinned = false;
  Time last_used{};
};

/// One line of GET /images/json.
struct ImageSummary {
  std::int64_t containers = -1;  ///< how many use it; -1: not counted
  std::int64_t created = 0;      ///< seconds since 1970
  std::string id;
  std::map<std::string, std::string> labels;
  std::string parent_id;
  std::vector<std::string> repo_digests;
  std::vector<std::string> repo_tags;
  std::int64_t shared_size = -1;
  std::int64_t size = 0;
  ImageExtra skiff;
};

struct ImageRootFs {
  std::string type = "layers";
  std::vector<std::string> layers;
};

struct ImageMetadata {
  Time last_tag_time{};
};

/// Answer of GET /images/{name}/json.
struct ImageInspect {
  std::string id;
  std::vector<std::string> repo_tags;
  std::vector<std::string> repo_digests;
  std::string parent;
  std::string comment;
  std::optional<Time> created;
  std::string docker_version;
  std::string author;
  oci::ImageConfig config;
  std::string architecture;
  std::string variant;
  std::string os;
  std::string os_version;
  std::int64_t size = 0;
  GraphDriver graph_driver;
  ImageRootFs root_fs;
  ImageMetadata metadata;
  ImageExtra skiff;
};

/// One line of GET /images/{name}/history.
struct ImageHistoryItem {
  std::string comment;
  std::int64_t created = 0;
  std::string created_by;
  std::string id;  ///< "<missing>" for layers that are no image here
  std::int64_t size = 0;
  std::vector<std::string> tags;
};

/// One line of DELETE /images/{name}.
struct ImageDeleteItem {
  std::string untagged;
  std::string deleted;
};

struct ImagePruneReport {
  std::vector<ImageDeleteItem> images_deleted;
  std::uint64_t space_reclaimed = 0;
};

/// Body and answer of our POST /skiff/layers/known.
struct LayerList {
  std::vector<std::string> diff_ids;
};

/// Body of our POST /skiff/images/save.
struct SaveRequest {
  std::vector<std::string> names;
  std::vector<std::string> without;  ///< diff ids of layers that are left out
};

void describe(json::Fields& f, LayerList& list);
void describe(json::Fields& f, SaveRequest& request);
void describe(json::Fields& f, ImageExtra& extra);
void describe(json::Fields& f, ImageSummary& image);
void describe(json::Fields& f, ImageRootFs& rootfs);
void describe(json::Fields& f, ImageMetadata& metadata);
void describe(json::Fields& f, ImageInspect& image);
void describe(json::Fields& f, ImageHistoryItem& item);
void describe(json::Fields& f, ImageDeleteItem& item);
void describe(json::Fields& f, ImagePruneReport& report);

}  // namespace skiff::spec::docker
