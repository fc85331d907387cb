#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "image/store.h"
#include "image/transfer/blob_ledger.h"
#include "image/transfer/progress.h"
#include "image/trust/trust.h"
#include "registry/client/authorizer.h"
#include "registry/client/settings.h"
#include "spec/platform.h"
#include "spec/reference.h"

namespace skiff::image {

class LazyLayers;

struct PullRequest {
  spec::Reference reference;  ///< with a tag or digest, or all tags are meant
  std::optional<spec::Platform> platform;
  registry::Credentials credentials;
  /// Layers that can be are served while they come (lazy/lazy_layers.h); one without gets the image whole,
  /// also when it is here lazily.
  bool lazy = false;
};

/// The credentials for a registry, by its domain ("docker.io").
using CredentialsOf = std::function<registry::Credentials(const std::string& domain)>;

/// Brings images here from registries. The layers of an image are downloaded together and unpacked while they
/// come, each once however many ask for it. An image appears whole or not at all: names and repo digests are
/// given when everything is on disk; what was downloaded of an image that did not come to be is kept to go on
/// from. Of an image that is here what is damaged, as far as a glance or its record shows it, is fetched
/// again. Thread-safe.
class Puller {
 public:
  /// All outlive it. Without `lazy` every pull brings whole images.
  static std::unique_ptr<Puller> create(Store& store, BlobLedger& ledger, Trust& trust,
                                        const registry::Settings& settings, LazyLayers* lazy = nullptr);
  virtual ~Puller() = default;

  /// An image that the policy does not take is Forbidden, and nothing of it is downloaded. Other errors in
  /// Docker's words: NotFound, Forbidden, Unavailable, Exhausted, DataLoss, Unsupported, Cancelled
  /// (at once when `stop` says so). Those of the first step come before any word of progress.
  virtual Result<void> pull(const PullRequest& request, Progress& progress, const std::stop_token& stop) = 0;
  /// Fetches what is damaged of an image again: config, manifests, layers, each by its digest, from a
  /// registry that it has a repo digest of. NotFound when there is none. Conflict when somebody uses a
  /// damaged layer.
  virtual Result<void> mend(const Image& image, const CredentialsOf& credentials_of, Progress& progress,
                            const std::stop_token& stop) = 0;
};

}  // namespace skiff::image
