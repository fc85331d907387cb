#include "spec/manifest.h"

#include <algorithm>
#include <array>

#include "base/strings.h"

namespace skiff::spec::oci {
namespace {

constexpr std::array kIndexTypes = {kMediaTypeIndex, kDockerManifestList};
constexpr std::array kManifestTypes = {kMediaTypeManifest, kDockerManifest};
constexpr std::array kSchema1Types = {kDockerSchema1, kDockerSchema1Signed};
constexpr std::string_view kForeignPrefix = "application/vnd.oci.image.layer.nondistributable.v1.tar";
constexpr std::array kLayerTypes = {kMediaTypeLayer, kMediaTypeLayerGzip, kMediaTypeLayerZstd,
                                    kDockerLayer,    kDockerLayerGzip,    kDockerLayerZstd};
constexpr std::string_view kUnknown = "unknown";

template <typename List>
bool has(const List& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// "application/json; charset=utf-8" without its parameters.
std::string bare(std::string_view media_type) { return to_lower(trim(cut(media_type, ';').first)); }

/// What the document is: what it says itself, what was said of it, what its members look like.
std::string kind_of(const json::Object& object, std::string_view content_type) {
  const json::Value* own = object.if_contains("mediaType");
  if (own && own->is_string() && !own->get_string().empty()) return bare(std::string(own->get_string()));
  std::string said = bare(content_type);
  if (is_index(said) || is_manifest(said) || has(kSchema1Types, said)) return said;
  if (object.contains("manifests")) return std::string(kMediaTypeIndex);
  if (object.contains("config") || object.contains("layers")) return std::string(kMediaTypeManifest);
  return said;
}

bool is_schema1(const json::Object& object, std::string_view kind) {
  const json::Value* version = object.if_contains("schemaVersion");
  return has(kSchema1Types, kind) || (version && version->is_int64() && version->get_int64() == 1);
}

Result<void> check(const Descriptor& descriptor) {
  if (descriptor.digest.empty())
    return Error(Kind::InvalidArgument, "invalid manifest: a descriptor without digest");
  if (descriptor.size < 0)
    return fail(Kind::InvalidArgument, "invalid manifest: {} has a negative size",
                descriptor.digest.to_string());
  return {};
}

Error two_things() { return {Kind::InvalidArgument, "invalid manifest: it is both a manifest and an index"}; }

bool is_attestation(const Platform& platform) {
  return platform.os == kUnknown || platform.architecture == kUnknown;
}

}  // namespace

bool is_index(std::string_view media_type) { return has(kIndexTypes, media_type); }
bool is_manifest(std::string_view media_type) { return has(kManifestTypes, media_type); }
bool is_foreign_layer(std::string_view media_type) {
  return media_type == kDockerForeignLayer || media_type.starts_with(kForeignPrefix);
}
bool is_layer(std::string_view media_type) {
  return has(kLayerTypes, media_type) || is_foreign_layer(media_type);
}
bool is_image_config(std::string_view media_type) {
  return media_type == kMediaTypeConfig || media_type == kDockerConfig;
}

std::string accepted_manifests() {
  return fmt::format("{}, {}, {}, {}, {}", kDockerManifest, kDockerManifestList, kMediaTypeManifest,
                     kMediaTypeIndex, kDockerSchema1Signed);
}

Result<Document> parse_document(std::string_view bytes, std::string_view content_type) {
  const json::Value value = TRY_CONTEXT(json::parse(bytes), "invalid manifest");
  const json::Object* object = value.if_object();
  if (!object) return Error(Kind::InvalidArgument, "invalid manifest: an object is wanted");
  const std::string kind = kind_of(*object, content_type);
  if (is_schema1(*object, kind))
    return Error(Kind::Unsupported,
                 "the image's manifest has Docker's schema 1, which is no longer supported: push it again "
                 "with a current Docker");
  if (is_index(kind)) {
    if (object->contains("config") || object->contains("layers")) return two_things();
    auto index = TRY_CONTEXT(json::from_value<Index>(value), "invalid index");
    for (const auto& manifest : index.manifests) TRY(check(manifest));
    return Document(std::move(index));
  }
  if (!is_manifest(kind))
    return fail(Kind::Unsupported, "unsupported manifest media type {}", quote(kind.empty() ? "none" : kind));
  if (object->contains("manifests")) return two_things();
  auto manifest = TRY_CONTEXT(json::from_value<Manifest>(value), "invalid manifest");
  TRY(check(manifest.config));
  for (const auto& layer : manifest.layers) TRY(check(layer));
  return Document(std::move(manifest));
}

const Descriptor* choose(const Index& index, const Platform& wanted) {
  const Descriptor* best = nullptr;
  for (const auto& manifest : index.manifests) {
    if (!is_manifest(manifest.media_type) && !is_index(manifest.media_type)) continue;
    if (!manifest.platform || is_attestation(*manifest.platform) || !wanted.accepts(*manifest.platform))
      continue;
    if (manifest.platform->variant == wanted.variant) return &manifest;
    if (!best) best = &manifest;
  }
  return best;
}

std::vector<std::string> platforms_of(const Index& index) {
  std::vector<std::string> names;
  for (const auto& manifest : index.manifests) {
    if (!manifest.platform || is_attestation(*manifest.platform)) continue;
    std::string name = manifest.platform->to_string();
    if (!has(names, name)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace skiff::spec::oci
