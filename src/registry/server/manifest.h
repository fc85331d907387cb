#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/digest.h"
#include "spec/oci_image.h"

namespace skiff::registry::server {

/// The largest manifest that is taken: what the distribution spec asks for at least (4 MiB).
inline constexpr std::size_t kMostManifest = 4 << 20;

/// What a registry needs to know of a manifest: an image, an artifact, or an index of others.
struct ManifestFacts {
  std::string media_type;
  std::string artifact_type;                    ///< as the list of referrers shows it
  std::vector<spec::Digest> blobs;              ///< config and layers that must be in the repository
  std::vector<spec::Digest> optional_blobs;     ///< layers that may be elsewhere (foreign layers with URLs)
  std::map<spec::Digest, std::uint64_t> sizes;  ///< of config and layers
  std::vector<spec::Digest> manifests;          ///< of an index
  std::optional<spec::Digest> subject;
  std::map<std::string, std::string> annotations;
};

/// Reads a manifest that was sent as `content_type` ("" when nothing was said). InvalidArgument says what is
/// wrong: no JSON, an unknown type, a mediaType that is not the Content-Type, a descriptor without digest.
Result<ManifestFacts> read_manifest(std::string_view bytes, std::string_view content_type);

}  // namespace skiff::registry::server
