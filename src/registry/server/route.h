#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::registry::server {

/// What a path under /v2/ names (distribution spec 1.1, "Endpoints").
struct Route {
  enum class Kind : std::uint8_t {
    None,       ///< no such endpoint
    Base,       ///< /v2/
    Catalog,    ///< /v2/_catalog
    Blob,       ///< /v2/<name>/blobs/<digest>
    Uploads,    ///< /v2/<name>/blobs/uploads/
    Upload,     ///< /v2/<name>/blobs/uploads/<id>
    Manifest,   ///< /v2/<name>/manifests/<tag or digest>
    Tags,       ///< /v2/<name>/tags/list
    Referrers,  ///< /v2/<name>/referrers/<digest>
  };
  Kind kind = Kind::None;
  std::string repository;  ///< as it came: see is_repository_name()
  std::string reference;   ///< digest, tag or upload id, as it came

  /// Reads a path without its query. Names may themselves hold the words of the API ("a/blobs",
  /// "b/tags/list"), so that it is the end of the path that decides.
  static Route parse(std::string_view path);
};

/// At most 255 characters of components that are joined by '/' (spec, "Pulling manifests").
bool is_repository_name(std::string_view text);

/// The values of a query string by name, decoded; the first of each name counts.
std::optional<std::string> query_value(std::string_view query, std::string_view name);

}  // namespace skiff::registry::server
