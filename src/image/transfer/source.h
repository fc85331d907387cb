#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "content/store.h"
#include "image/trust/payload.h"
#include "registry/client/repository.h"
#include "spec/manifest.h"
#include "spec/platform.h"

namespace skiff::image {

/// What a tag or digest turned out to be: the way to the image of one platform.
struct Source {
  std::shared_ptr<registry::Repository> repository;
  std::size_t way = 0;                             ///< which of the ways to the registry that is
  spec::Digest digest;                             ///< of what the name stands for: a manifest or an index
  std::vector<registry::ManifestBytes> documents;  ///< the index, if there is one, and the manifest
  spec::oci::Manifest manifest;
};

/// Asks the registry of `reference`, its mirrors first, what the name stands for, and follows it to the
/// manifest for `platform`. Documents that are in `content` already are not fetched again. NotFound also when
/// there is none for the platform: the sentence names those that there are. Unsupported for what is no
/// container image. The first `first` ways to the registry are passed over: mirrors that turned out not to
/// have everything.
Result<Source> find_source(const spec::Reference& reference, const spec::Platform& platform,
                           const registry::Credentials& credentials, const registry::Settings& settings,
                           content::Store& content, const std::stop_token& stop, std::size_t first = 0);

/// The signatures of an image whose manifests have these digests, of the first way to its registry that knows
/// any; see fetch_signatures().
Result<std::vector<Signature>> find_signatures(const spec::Reference& reference,
                                               const std::vector<spec::Digest>& manifests,
                                               const registry::Credentials& credentials,
                                               const registry::Settings& settings,
                                               const std::stop_token& stop);

/// A repository's tags, as find_source() would ask for them.
Result<std::vector<std::string>> find_tags(const spec::Reference& reference,
                                           const registry::Credentials& credentials,
                                           const registry::Settings& settings, const std::stop_token& stop);

}  // namespace skiff::image
