#include "image/trust/signatures.h"

#include "spec/manifest.h"

namespace skiff::image {
namespace {

constexpr std::size_t kMostSignatures = 64;
constexpr std::int64_t kMostPayload = 64 << 10;

}  // namespace

Result<std::vector<Signature>> fetch_signatures(registry::Repository& repository,
                                                const std::vector<spec::Digest>& manifests,
                                                const std::stop_token& stop) {
  std::vector<Signature> found;
  for (const auto& digest : manifests) {
    const auto document = repository.manifest(signature_tag(digest), stop);
    if (!document.ok()) {
      if (document.error().kind() == Kind::NotFound) continue;
      return document.error().with_context(fmt::format("signatures of {}", digest.to_string()));
    }
    const auto parsed = TRY_CONTEXT(spec::oci::parse_document(document->bytes, document->media_type),
                                    "signatures of {}", digest.to_string());
    const auto* manifest = std::get_if<spec::oci::Manifest>(&parsed);
    if (!manifest) continue;
    for (const auto& layer : manifest->layers) {
      const auto signature = layer.annotations.find(kSignatureAnnotation);
      if (layer.media_type != kSignatureMediaType || signature == layer.annotations.end()) continue;
      if (layer.size > kMostPayload || found.size() == kMostSignatures) continue;
      found.push_back({TRY(repository.read_blob(layer, stop)), signature->second});
    }
  }
  return found;
}

}  // namespace skiff::image
