#include "image/push_manifest.h"

#include <algorithm>

#include "base/json.h"
#include "spec/manifest.h"

namespace skiff::image {
namespace {

constexpr std::string_view kIndent = "   ";  // as Docker's engine writes manifests

std::string_view oci_type(std::string_view docker_type) {
  if (docker_type == spec::oci::kDockerLayer) return spec::oci::kMediaTypeLayer;
  if (docker_type == spec::oci::kDockerLayerGzip) return spec::oci::kMediaTypeLayerGzip;
  if (docker_type == spec::oci::kDockerLayerZstd) return spec::oci::kMediaTypeLayerZstd;
  return docker_type;
}

}  // namespace

/// With its members in the order in which Docker's engine writes them.
PushManifest push_manifest(const spec::Digest& config, std::size_t size,
                           const std::vector<KnownBlob>& layers) {
  const auto descriptor = [](std::string_view type, std::int64_t bytes, const spec::Digest& digest) {
    return json::Object{{"mediaType", type}, {"size", bytes}, {"digest", digest.to_string()}};
  };
  const bool oci = std::any_of(layers.begin(), layers.end(), [](const KnownBlob& layer) {
    return layer.media_type == spec::oci::kDockerLayerZstd;
  });
  const std::string_view type = oci ? spec::oci::kMediaTypeManifest : spec::oci::kDockerManifest;
  const std::string_view config_type = oci ? spec::oci::kMediaTypeConfig : spec::oci::kDockerConfig;
  json::Object manifest{{"schemaVersion", 2},
                        {"mediaType", type},
                        {"config", descriptor(config_type, static_cast<std::int64_t>(size), config)}};
  json::Array blobs;
  for (const auto& layer : layers)
    blobs.push_back(
        descriptor(oci ? oci_type(layer.media_type) : layer.media_type, layer.size, layer.digest));
  manifest["layers"] = std::move(blobs);
  return {type, json::to_pretty_text(manifest, kIndent)};
}

}  // namespace skiff::image
