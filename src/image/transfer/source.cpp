#include "image/transfer/source.h"

#include <algorithm>

#include "base/strings.h"
#include "image/trust/signatures.h"
#include "registry/client/refusal.h"

namespace skiff::image {
namespace {

constexpr int kDeepestIndex = 3;  ///< indexes that stand in each other

using registry::ManifestBytes;
using registry::Repository;

/// Tries the ways to a registry in their order. A way that leads nowhere leaves the word to the next; a
/// mirror also when it does not have what is wanted.
template <typename T, typename Use>
Result<T> on_first(const spec::Reference& reference, const registry::Credentials& credentials,
                   const registry::Settings& settings, std::size_t first, const std::stop_token& stop,
                   Use use) {
  const auto ways = TRY(registry::endpoints(reference.domain(), registry::Purpose::Pull, settings));
  std::optional<Error> last;
  for (std::size_t i = std::min(first, ways.size() - 1); i < ways.size(); ++i) {
    const auto& way = ways[i];
    auto repository = Repository::open(way, reference, registry::Purpose::Pull, credentials, settings, stop);
    if (!repository.ok()) {
      last = repository.error();
      if (last->kind() == Kind::Cancelled) break;
      continue;
    }
    auto found = use(*repository, i);
    if (found.ok() || !way.mirror || found.error().kind() == Kind::Cancelled) return found;
    last = found.error();
  }
  return *last;
}

Result<ManifestBytes> read_document(Repository& repository, const spec::oci::Descriptor& descriptor,
                                    content::Store& content, const std::stop_token& stop) {
  if (auto known = content.read(descriptor.digest); known.ok())
    return ManifestBytes{*std::move(known), descriptor.media_type, descriptor.digest};
  return repository.manifest(descriptor.digest.to_string(), stop);
}

Error no_match(const spec::oci::Index& index, const spec::Platform& platform) {
  return fail(
      Kind::NotFound,
      "no matching manifest for {} in the manifest list entries: no match for platform in manifest: not "
      "found (there are {})",
      platform.to_string(), join(spec::oci::platforms_of(index), ", "));
}

Result<void> check_image(const spec::oci::Manifest& manifest) {
  if (!spec::oci::is_image_config(manifest.config.media_type))
    return fail(Kind::Unsupported, "unsupported media type {}: this is no container image",
                manifest.config.media_type);
  for (const auto& layer : manifest.layers)
    if (!spec::oci::is_layer(layer.media_type))
      return fail(Kind::Unsupported, "unsupported media type {} of layer {}", layer.media_type,
                  layer.digest.to_string());
  return {};
}

Result<Source> follow(const std::shared_ptr<Repository>& repository, const std::string& name,
                      const spec::Platform& platform, content::Store& content, const std::stop_token& stop) {
  auto at = TRY(repository->resolve(name, stop));
  Source source;
  source.repository = repository;
  source.digest = at.digest;
  for (int depth = 0; depth <= kDeepestIndex; ++depth) {
    source.documents.push_back(TRY(read_document(*repository, at, content, stop)));
    const auto& document = source.documents.back();
    auto parsed = TRY(spec::oci::parse_document(document.bytes, document.media_type));
    if (auto* manifest = std::get_if<spec::oci::Manifest>(&parsed)) {
      TRY(check_image(*manifest));
      source.manifest = std::move(*manifest);
      return source;
    }
    const auto& index = std::get<spec::oci::Index>(parsed);
    const auto* chosen = spec::oci::choose(index, platform);
    if (!chosen) return no_match(index, platform);
    at = *chosen;
  }
  return Error(Kind::Unsupported, "the image's indexes stand too deep in each other");
}

}  // namespace

Result<Source> find_source(const spec::Reference& reference, const spec::Platform& platform,
                           const registry::Credentials& credentials, const registry::Settings& settings,
                           content::Store& content, const std::stop_token& stop, std::size_t first) {
  const std::string name = reference.digest() ? reference.digest()->to_string() : reference.tag();
  auto found = on_first<Source>(reference, credentials, settings, first, stop,
                                [&](const auto& repository, std::size_t way) -> Result<Source> {
                                  auto source = TRY(follow(repository, name, platform, content, stop));
                                  source.way = way;
                                  return source;
                                });
  if (!found.ok()) return registry::pull_error(found.error(), reference);
  return found;
}

Result<std::vector<Signature>> find_signatures(const spec::Reference& reference,
                                               const std::vector<spec::Digest>& manifests,
                                               const registry::Credentials& credentials,
                                               const registry::Settings& settings,
                                               const std::stop_token& stop) {
  using Found = Result<std::vector<Signature>>;
  auto found = on_first<std::vector<Signature>>(
      reference, credentials, settings, 0, stop, [&](const auto& repository, std::size_t) -> Found {
        auto fetched = TRY(fetch_signatures(*repository, manifests, stop));
        // A mirror may have the image without its signatures.
        if (fetched.empty() && repository->endpoint().mirror) return Error(Kind::NotFound, "no signatures");
        return fetched;
      });
  if (!found.ok() && found.error().kind() == Kind::NotFound) return std::vector<Signature>();
  return found;
}

Result<std::vector<std::string>> find_tags(const spec::Reference& reference,
                                           const registry::Credentials& credentials,
                                           const registry::Settings& settings, const std::stop_token& stop) {
  auto found = on_first<std::vector<std::string>>(
      reference, credentials, settings, 0, stop,
      [&](const auto& repository, std::size_t) { return repository->tags(stop); });
  if (!found.ok()) return registry::pull_error(found.error(), reference);
  return found;
}

}  // namespace skiff::image
