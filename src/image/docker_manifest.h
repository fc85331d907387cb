#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "spec/oci_image.h"

namespace skiff::image {

/// One image in the file manifest.json of an archive that Docker saves.
struct DockerManifest {
  std::string config;  ///< names of files in the archive
  std::vector<std::string> repo_tags;
  std::vector<std::string> layers;  ///< bottom first
  std::map<std::string, spec::oci::Descriptor> layer_sources;
};

std::string encode_docker_manifests(const std::vector<DockerManifest>& manifests);
Result<std::vector<DockerManifest>> parse_docker_manifests(std::string_view text);

}  // namespace skiff::image
