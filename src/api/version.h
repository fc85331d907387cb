#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::api {

/// A version of the Engine API, as it stands in "/v1.51/info".
struct ApiVersion {
  int major = 1;
  int minor = 0;

  friend auto operator<=>(const ApiVersion&, const ApiVersion&) = default;
  std::string to_string() const;
};

inline constexpr ApiVersion kMinimumVersion{1, 24};
inline constexpr ApiVersion kCurrentVersion{1, 51};

struct VersionedPath {
  ApiVersion version = kCurrentVersion;
  std::string_view path;  ///< without the version
};

/// Takes "/vM.N" off a path; without it the current version is meant. InvalidArgument with Docker's sentences
/// when the version is out of range.
Result<VersionedPath> negotiate(std::string_view path);

}  // namespace skiff::api
