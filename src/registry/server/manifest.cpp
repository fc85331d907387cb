#include "registry/server/manifest.h"

#include "base/json.h"
#include "base/strings.h"

namespace skiff::registry::server {
namespace {

using spec::oci::Descriptor;

constexpr int kSchemaVersion = 2;

bool is_index(std::string_view type) {
  return type == spec::oci::kMediaTypeIndex || type == spec::oci::kDockerManifestList;
}

bool is_image(std::string_view type) {
  return type == spec::oci::kMediaTypeManifest || type == spec::oci::kDockerManifest;
}

std::string text_of(const json::Object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// The type that the manifest has: its own word and that of the request agree, and one of them is there.
Result<std::string> type_of(const json::Object& object, std::string_view content_type) {
  const std::string_view sent = trim(cut(content_type, ';').first);
  std::string own = text_of(object, "mediaType");
  const bool says_nothing = sent.empty() || sent == "application/json" || sent == "application/octet-stream";
  if (!own.empty() && !says_nothing && own != sent)
    return fail(Kind::InvalidArgument, "mediaType in manifest should be '{}' not '{}'", sent, own);
  if (!own.empty()) return own;
  if (!says_nothing) return std::string(sent);
  // OCI manifests need not name their type; their members tell them apart.
  return std::string(object.contains("manifests") ? spec::oci::kMediaTypeIndex
                                                  : spec::oci::kMediaTypeManifest);
}

Result<void> check(const Descriptor& descriptor, std::string_view what) {
  if (descriptor.digest.empty()) return fail(Kind::InvalidArgument, "{} has no digest", what);
  if (descriptor.size < 0) return fail(Kind::InvalidArgument, "{} has a negative size", what);
  return {};
}

Result<void> take_subject(ManifestFacts& facts, const std::optional<Descriptor>& subject) {
  if (!subject) return {};
  TRY(check(*subject, "subject"));
  facts.subject = subject->digest;
  return {};
}

Result<void> read_image(ManifestFacts& facts, json::Value value) {
  const auto manifest = TRY(json::from_value<spec::oci::Manifest>(std::move(value)));
  TRY(check(manifest.config, "config"));
  facts.blobs.push_back(manifest.config.digest);
  facts.sizes[manifest.config.digest] = static_cast<std::uint64_t>(manifest.config.size);
  for (const auto& layer : manifest.layers) {
    TRY(check(layer, "layer"));
    facts.sizes[layer.digest] = static_cast<std::uint64_t>(layer.size);
    (layer.urls.empty() ? facts.blobs : facts.optional_blobs).push_back(layer.digest);
  }
  facts.artifact_type = manifest.artifact_type.empty() ? manifest.config.media_type : manifest.artifact_type;
  facts.annotations = manifest.annotations;
  return take_subject(facts, manifest.subject);
}

Result<void> read_index(ManifestFacts& facts, json::Value value) {
  const auto index = TRY(json::from_value<spec::oci::Index>(std::move(value)));
  for (const auto& entry : index.manifests) {
    TRY(check(entry, "manifest"));
    facts.manifests.push_back(entry.digest);
  }
  facts.artifact_type = index.artifact_type;
  facts.annotations = index.annotations;
  return take_subject(facts, index.subject);
}

}  // namespace

Result<ManifestFacts> read_manifest(std::string_view bytes, std::string_view content_type) {
  auto value = TRY(json::parse(bytes));
  const auto* object = value.if_object();
  if (!object) return Error(Kind::InvalidArgument, "a manifest is a JSON object");
  const auto* version = object->if_contains("schemaVersion");
  if (!version || !version->is_int64() || version->get_int64() != kSchemaVersion)
    return Error(Kind::InvalidArgument, "schemaVersion must be 2");
  ManifestFacts facts;
  facts.media_type = TRY(type_of(*object, content_type));
  if (is_index(facts.media_type)) {
    // The one shape must not pass for the other (CVE-2021-41190).
    if (object->contains("config") || object->contains("layers"))
      return Error(Kind::InvalidArgument, "an index has no config and no layers");
    TRY(read_index(facts, std::move(value)));
  } else if (is_image(facts.media_type)) {
    if (object->contains("manifests"))
      return Error(Kind::InvalidArgument, "an image manifest has no list of manifests");
    TRY(read_image(facts, std::move(value)));
  } else {
    return fail(Kind::InvalidArgument, "unknown manifest type {}", quote(facts.media_type));
  }
  return facts;
}

}  // namespace skiff::registry::server
