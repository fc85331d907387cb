#include "spec/docker/manifest_list.h"

namespace skiff::spec::docker {

using json::Omit;

void describe(json::Fields& f, ManifestPlatform& platform) {
  f("architecture", platform.architecture);
  f("os", platform.os);
  f("os.version", platform.os_version, Omit::Empty);
  f("os.features", platform.os_features, Omit::Empty);
  f("variant", platform.variant, Omit::Empty);
}

void describe(json::Fields& f, ManifestDescriptor& descriptor) {
  f("mediaType", descriptor.media_type);
  f("digest", descriptor.digest);
  f("size", descriptor.size);
  f("platform", descriptor.platform, Omit::Empty);
}

void describe(json::Fields& f, ManifestRecord& record) {
  f("Ref", record.reference);
  f("Descriptor", record.descriptor);
  f("Raw", record.raw, Omit::Empty);
  f("SchemaV2Manifest", record.docker_manifest, Omit::Empty);
  f("OCIManifest", record.oci_manifest, Omit::Empty);
}

void describe(json::Fields& f, ManifestUpload& upload) {
  f("MediaType", upload.media_type);
  f("Raw", upload.raw);
}

void describe(json::Fields& f, ManifestUploaded& uploaded) { f("Digest", uploaded.digest); }

void describe(json::Fields& f, ListedManifest& manifest) {
  f("mediaType", manifest.media_type);
  f("size", manifest.size);
  f("digest", manifest.digest);
  f("platform", manifest.platform);
}

void describe(json::Fields& f, ManifestList& list) {
  f("schemaVersion", list.schema_version);
  f("mediaType", list.media_type);
  f("manifests", list.manifests);
}

}  // namespace skiff::spec::docker
