#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "registry/client/authorizer.h"
#include "registry/client/settings.h"
#include "spec/digest.h"
#include "spec/reference.h"

namespace skiff::lazy {

/// Where the bytes of a layer's compressed blob come from. Thread-safe.
class RangeSource {
 public:
  virtual ~RangeSource() = default;
  /// Exactly these bytes, after as many attempts as are worth it. Nobody has verified them.
  virtual Result<std::string> read(std::uint64_t offset, std::size_t size, const std::stop_token& stop) = 0;
};

/// A blob of the repository `name`, by the first way to its registry that gives it: mirrors first. What fails
/// in a way that may pass is asked for again, the other ways too. `settings` outlive it.
std::unique_ptr<RangeSource> registry_source(spec::Reference name, spec::Digest blob,
                                             registry::Credentials credentials,
                                             const registry::Settings& settings);

}  // namespace skiff::lazy
