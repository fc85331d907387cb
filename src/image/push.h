#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "archive/source.h"
#include "base/result.h"
#include "image/store.h"
#include "image/transfer/blob_ledger.h"
#include "image/transfer/progress.h"
#include "image/trust/origins.h"
#include "registry/client/authorizer.h"
#include "registry/client/settings.h"
#include "spec/platform.h"
#include "spec/reference.h"

namespace skiff::image {

struct PushRequest {
  spec::Reference reference;  ///< with a tag, or all tags of the repository that are here are meant
  std::optional<spec::Platform> platform;
  registry::Credentials credentials;
  /// Gzip or Zstd: layers are to be compressed so, and those that the registry has otherwise do not count.
  std::optional<archive::Compression> compression;
};

/// Sends images to registries: what the registry has already is not sent, what another repository of it has
/// is mounted, the rest is compressed on the way, several layers at a time. Thread-safe.
class Pusher {
 public:
  /// All outlive it.
  static std::unique_ptr<Pusher> create(Store& store, BlobLedger& ledger, Origins& origins,
                                        const registry::Settings& settings);
  virtual ~Pusher() = default;

  /// Errors in Docker's words, as of pulls. NotFound before any word of progress when the image is of another
  /// platform.
  virtual Result<void> push(const PushRequest& request, Progress& progress, const std::stop_token& stop) = 0;
};

}  // namespace skiff::image
