#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/web.h"
#include "registry/client/settings.h"

namespace skiff::registry {

/// One way to reach a registry.
struct Endpoint {
  std::string url;  ///< "https://registry-1.docker.io", without a slash at the end
  http::WebTrust trust;
  bool mirror = false;
  std::string registry = {};  ///< of a mirror: whose images it has, "quay.io"
};

enum class Purpose : std::uint8_t { Pull, Push };

/// The ways to reach the registry of `domain` ("docker.io", "localhost:5000"), best first: for pulls its
/// mirrors, then https, and plain http last for registries that may be insecure. Reads the
/// registry's certificates; InvalidArgument and Forbidden with the file's name when they are not usable.
Result<std::vector<Endpoint>> endpoints(std::string_view domain, Purpose purpose, const Settings& settings);

/// True for registries whose certificate is not checked and that may speak plain http: those on loopback
/// addresses (names that resolve to them included) and those that the settings name.
bool is_insecure(std::string_view domain, const Settings& settings);

/// "https://mirror.example/path" as the daemon takes it, also behind "registry.example=" for mirrors of other
/// registries than Docker Hub; InvalidArgument in Docker's words.
Result<std::string> check_mirror(std::string_view text);
/// "host:port" or a CIDR, without scheme; InvalidArgument in Docker's words.
Result<std::string> check_insecure(std::string_view text);

/// The registry that an image's domain, or the server address of a login, means:
/// "https://index.docker.io/v1/" and "" are "docker.io", scheme and path are left out.
std::string registry_of(std::string_view server_address);

}  // namespace skiff::registry
