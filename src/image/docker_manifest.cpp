#include "image/docker_manifest.h"

namespace skiff::image {

void describe(json::Fields& f, DockerManifest& manifest) {
  f("Config", manifest.config);
  if (f.reading() || !manifest.repo_tags.empty()) {
    f("RepoTags", manifest.repo_tags);
  } else {
    json::Value none;  // as Go writes an absent list
    f("RepoTags", none);
  }
  f("Layers", manifest.layers);
  f("LayerSources", manifest.layer_sources, json::Omit::Empty);
}

std::string encode_docker_manifests(const std::vector<DockerManifest>& manifests) {
  json::Array array;
  for (const auto& manifest : manifests) array.push_back(json::to_value(manifest));
  return json::to_text(array);
}

Result<std::vector<DockerManifest>> parse_docker_manifests(std::string_view text) {
  json::Value value = TRY(json::parse(text));
  json::Array* array = value.if_array();
  if (!array) return Error(Kind::InvalidArgument, "invalid JSON: an array is wanted");
  std::vector<DockerManifest> manifests;
  for (auto& element : *array) manifests.push_back(TRY(json::from_value<DockerManifest>(std::move(element))));
  return manifests;
}

}  // namespace skiff::image
