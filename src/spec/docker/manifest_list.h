#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"

/// Manifests as `docker manifest` handles them: as a registry has them, and as its store of lists that are
/// not pushed yet keeps them.
namespace skiff::spec::docker {

/// OCI's platform with the members that only Windows images have.
struct ManifestPlatform {
  std::string architecture;
  std::string os;
  std::string os_version;
  std::vector<std::string> os_features;
  std::string variant;
};

struct ManifestDescriptor {
  std::string media_type;
  std::string digest;
  std::int64_t size = 0;
  std::optional<ManifestPlatform> platform;  ///< of a list: none
};

/// Answer of our GET /skiff/manifests/{name}, and a file of the store.
struct ManifestRecord {
  std::string reference;  ///< whole: "docker.io/library/busybox:latest"
  ManifestDescriptor descriptor;
  std::string raw;  ///< base64 of the manifest's bytes
  // What Docker adds of an image's manifest, for people.
  json::Value docker_manifest;
  json::Value oci_manifest;
};

/// Body of our PUT /skiff/manifests/{name}.
struct ManifestUpload {
  std::string media_type;
  std::string raw;  ///< base64
};

/// Its answer.
struct ManifestUploaded {
  std::string digest;
};

void describe(json::Fields& f, ManifestPlatform& platform);
void describe(json::Fields& f, ManifestDescriptor& descriptor);
void describe(json::Fields& f, ManifestRecord& record);
void describe(json::Fields& f, ManifestUpload& upload);
void describe(json::Fields& f, ManifestUploaded& uploaded);

/// One manifest of a list, in the order in which Docker writes its members.
struct ListedManifest {
  std::string media_type;
  std::int64_t size = 0;
  std::string digest;
  ManifestPlatform platform;
};

struct ManifestList {
  int schema_version = 2;
  std::string media_type;
  std::vector<ListedManifest> manifests;
};

void describe(json::Fields& f, ListedManifest& manifest);
void describe(json::Fields& f, ManifestList& list);

}  // namespace skiff::spec::docker
