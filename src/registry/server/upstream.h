#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "registry/server/storage.h"
#include "spec/digest.h"

namespace skiff::registry::server {

/// Another registry, to pull from. Errors: NotFound, Forbidden, Unavailable (it may pass), Cancelled,
/// DataLoss. Thread-safe.
class Upstream {
 public:
  struct Manifest {
    spec::Digest digest;
    std::string media_type;
    std::string bytes;  ///< checked against the digest
  };

  virtual ~Upstream() = default;
  virtual Result<spec::Digest> resolve(const std::string& name, const std::string& tag,
                                       const std::stop_token& stop) = 0;
  virtual Result<Manifest> manifest(const std::string& name, const spec::Digest& digest,
                                    const std::stop_token& stop) = 0;
  /// A blob's bytes from `offset` on, not checked.
  virtual Result<void> blob(const std::string& name, const spec::Digest& digest, std::uint64_t offset,
                            const ByteSink& sink, const std::stop_token& stop) = 0;
  virtual Result<std::vector<std::string>> tags(const std::string& name, const std::stop_token& stop) = 0;
};

}  // namespace skiff::registry::server
