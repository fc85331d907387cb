#include "api/version.h"

#include "base/strings.h"

namespace skiff::api {

std::string ApiVersion::to_string() const { return fmt::format("{}.{}", major, minor); }

Result<VersionedPath> negotiate(std::string_view path) {
  if (!path.starts_with("/v")) return VersionedPath{kCurrentVersion, path};
  const auto end = path.find('/', 1);
  const auto [major, minor] = cut(path.substr(2, end == std::string_view::npos ? end : end - 2), '.');
  const auto major_number = parse_uint(major);
  const auto minor_number = minor ? parse_uint(*minor) : std::nullopt;
  // "/volumes" begins with a "v" as well.
  if (!major_number || !minor_number || *major_number > 1000 || *minor_number > 1000)
    return VersionedPath{kCurrentVersion, path};
  const ApiVersion version{static_cast<int>(*major_number), static_cast<int>(*minor_number)};
  if (version < kMinimumVersion)
    return fail(
        Kind::InvalidArgument,
        "client version {} is too old. Minimum supported API version is {}, please upgrade your client to a "
        "newer version",
        version.to_string(), kMinimumVersion.to_string());
  if (version > kCurrentVersion)
    return fail(Kind::InvalidArgument, "client version {} is too new. Maximum supported API version is {}",
                version.to_string(), kCurrentVersion.to_string());
  return VersionedPath{version, end == std::string_view::npos ? std::string_view("/") : path.substr(end)};
}

}  // namespace skiff::api
