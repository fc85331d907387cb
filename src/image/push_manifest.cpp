#include "image/push_manifest.h"

#include "base/json.h"
#include "spec/manifest.h"

namespace skiff::image {
namespace {

constexpr std::string_view kIndent = "   ";  // as Docker's engine writes manifests

}  // namespace

/// With its members in the order in which Docker's engine writes them.
std::string push_manifest(const spec::Digest& config, std::size_t size,
                          const std::vector<KnownBlob>& layers) {
  const auto descriptor = [](std::string_view type, std::int64_t bytes, const spec::Digest& digest) {
    return json::Object{{"mediaType", type}, {"size", bytes}, {"digest", digest.to_string()}};
  };
  json::Object manifest{
      {"schemaVersion", 2},
      {"mediaType", spec::oci::kDockerManifest},
      {"config", descriptor(spec::oci::kDockerConfig, static_cast<std::int64_t>(size), config)}};
  json::Array blobs;
  for (const auto& layer : layers) blobs.push_back(descriptor(layer.media_type, layer.size, layer.digest));
  manifest["layers"] = std::move(blobs);
  return json::to_pretty_text(manifest, kIndent);
}

}  // namespace skiff::image
