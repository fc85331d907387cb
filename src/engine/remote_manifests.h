#pragma once

#include <stop_token>
#include <string>

#include "base/result.h"
#include "engine/parts.h"
#include "registry/client/repository.h"
#include "spec/docker/manifest_list.h"
#include "spec/reference.h"

namespace skiff::engine {

/// Manifests in registries, for those who put lists together (`skiff manifest`): nothing of them is kept
/// here. Thread-safe.
class RemoteManifests {
 public:
  explicit RemoteManifests(Parts& parts) : parts_(parts) {}

  struct Asking {
    registry::Credentials credentials;
    bool insecure = false;  ///< any certificate, and plain http, for this once
  };

  /// A manifest or list, and of an image's manifest the platform that its config names. NotFound.
  Result<spec::docker::ManifestRecord> fetch(const spec::Reference& reference, const Asking& asking,
                                             const std::stop_token& stop);
  /// Stores a manifest or list under a tag or digest. InvalidArgument when it is none.
  Result<spec::Digest> put(const spec::Reference& reference, const std::string& media_type,
                           const std::string& bytes, const Asking& asking, const std::stop_token& stop);
  /// Has the registry take a blob over into the repository of `target` from another one of its own. Conflict
  /// "error mounting ..." when it will not.
  Result<void> mount(const spec::Reference& target, const std::string& from_path, const spec::Digest& blob,
                     const Asking& asking, const std::stop_token& stop);

 private:
  Result<std::shared_ptr<registry::Repository>> connect(const spec::Reference& reference,
                                                        registry::Purpose purpose, const Asking& asking,
                                                        const std::stop_token& stop);
  Parts& parts_;
};

}  // namespace skiff::engine
