#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "spec/oci_image.h"

/// The Engine API's talk about registries.
namespace skiff::spec::docker {

/// Body of POST /auth, and the X-Registry-Auth header (base64 of this JSON).
struct AuthConfig {
  std::string username;
  std::string password;
  std::string auth;  ///< base64 of "user:password", in configuration files
  std::string server_address;
  std::string identity_token;
  std::string registry_token;
};

/// Answer of POST /auth.
struct AuthAnswer {
  std::string identity_token;
  std::string status;
};

/// Answer of GET /distribution/{name}/json.
struct DistributionInspect {
  oci::Descriptor descriptor;
  std::vector<Platform> platforms;
};

void describe(json::Fields& f, AuthConfig& config);
void describe(json::Fields& f, AuthAnswer& answer);
void describe(json::Fields& f, DistributionInspect& answer);

/// Reads a header's base64 of an AuthConfig; an empty one, as Docker's engine does, when that cannot be read.
/// User and password come out of `auth` when only that is given.
AuthConfig decode_auth(std::string_view header);
std::string encode_auth(const AuthConfig& config);
/// Fills user and password from `auth` unless they are there.
void split_auth(AuthConfig& config);

}  // namespace skiff::spec::docker
