#include "engine/remote_manifests.h"

#include "base/base64.h"
#include "spec/manifest.h"

namespace skiff::engine {
namespace {

using spec::docker::ManifestRecord;

/// The tag or digest that a request names the manifest by.
std::string name_of(const spec::Reference& reference) {
  return reference.digest() ? reference.digest()->to_string() : reference.tag();
}

}  // namespace

Result<std::shared_ptr<registry::Repository>> RemoteManifests::connect(const spec::Reference& reference,
                                                                       registry::Purpose purpose,
                                                                       const Asking& asking,
                                                                       const std::stop_token& stop) {
  registry::Settings settings = parts_.config.registries;
  if (asking.insecure) settings.insecure.push_back(reference.domain());
  return TRY_CONTEXT(registry::Repository::connect(reference, purpose, asking.credentials, settings, stop),
                     "failed to configure transport: error pinging v2 registry");
}

Result<ManifestRecord> RemoteManifests::fetch(const spec::Reference& reference, const Asking& asking,
                                              const std::stop_token& stop) {
  const auto repository = TRY(connect(reference, registry::Purpose::Pull, asking, stop));
  const auto found = TRY(repository->manifest(name_of(reference), stop));
  ManifestRecord record;
  record.reference = reference.to_string();
  record.descriptor.media_type = found.media_type;
  record.descriptor.digest = found.digest.to_string();
  record.descriptor.size = static_cast<std::int64_t>(found.bytes.size());
  record.raw = encode_base64(found.bytes);
  const auto document = TRY(spec::oci::parse_document(found.bytes, found.media_type));
  const auto* manifest = std::get_if<spec::oci::Manifest>(&document);
  if (!manifest) return record;
  record.descriptor.platform.emplace();
  if (spec::oci::is_image_config(manifest->config.media_type)) {
    const std::string config = TRY(repository->read_blob(manifest->config, stop));
    record.descriptor.platform =
        TRY_CONTEXT(json::decode<spec::docker::ManifestPlatform>(config), "invalid image configuration");
  }
  json::Value shown = TRY(json::parse(found.bytes));
  const bool is_docker = found.media_type == spec::oci::kDockerManifest;
  (is_docker ? record.docker_manifest : record.oci_manifest) = std::move(shown);
  return record;
}

Result<spec::Digest> RemoteManifests::put(const spec::Reference& reference, const std::string& media_type,
                                          const std::string& bytes, const Asking& asking,
                                          const std::stop_token& stop) {
  TRY(spec::oci::parse_document(bytes, media_type));
  const auto repository = TRY(connect(reference, registry::Purpose::Push, asking, stop));
  return repository->put_manifest(name_of(reference), media_type, bytes, stop);
}

Result<void> RemoteManifests::mount(const spec::Reference& target, const std::string& from_path,
                                    const spec::Digest& blob, const Asking& asking,
                                    const std::stop_token& stop) {
  const auto repository = TRY(connect(target, registry::Purpose::Push, asking, stop));
  // Whoever pushes the same list again mounts nothing.
  if (TRY(repository->blob_size(blob, stop))) return {};
  if (TRY(repository->mount(blob, from_path, stop))) return {};
  return fail(Kind::Conflict, "error mounting {}/{}@{} to {}", target.domain(), from_path, blob.to_string(),
              target.to_string());
}

}  // namespace skiff::engine
