#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "image/trust/payload.h"
#include "meta/database.h"
#include "spec/digest.h"

namespace skiff::image {

/// One name under which a registry gave an image, and what was known of it then.
struct PulledAs {
  std::string reference;                ///< full, with tag or digest
  std::vector<spec::Digest> manifests;  ///< digests of its manifest, and of the index that this stands in
  std::vector<Signature> signatures;    ///< those that a policy asked for and believed
};

/// Where an image came from.
struct Origin {
  enum class Kind : std::uint8_t { Registry, Archive, Local };
  Kind kind = Kind::Registry;
  std::vector<PulledAs> pulls;  ///< the latest first
  bool loaded = false;          ///< it came out of an archive, too
};

void describe(json::Fields& f, PulledAs& pull);
void describe(json::Fields& f, Origin& origin);

/// Remembers for each image, by its id, where it came from. What is recorded goes with the image.
/// Thread-safe.
class Origins {
 public:
  explicit Origins(meta::Database& database) : database_(database) {}

  Result<std::optional<Origin>> find(const spec::Digest& image);
  /// Notes a pull, before the image is here; what was known of that name before is replaced. If it does not
  /// come the record goes at the next start.
  Result<void> pulled(const spec::Digest& image, PulledAs pull);
  /// Notes where an image came from unless that is known.
  Result<void> note(const spec::Digest& image, Origin::Kind kind);
  /// Notes that an image comes out of an archive, before it is here; `known`: it is. Made here it stays.
  Result<void> loaded(const spec::Digest& image, bool known);

 private:
  meta::Database& database_;
};

/// The table, whose records the store removes together with their image.
inline constexpr std::string_view kOriginTable = "image_origins";

}  // namespace skiff::image
