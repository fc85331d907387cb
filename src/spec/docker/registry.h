#pragma once

#include <string>
#include <string_view>
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

/// One line of GET /images/search, and of a registry's answer to a search.
struct SearchResult {
  std::int64_t star_count = 0;
  bool is_official = false;
  std::string name;
  bool is_automated = false;  ///< always false: Docker Hub no longer builds
  std::string description;
};

/// The registry that a search term begins with, "localhost:5000" of "localhost:5000/tool"; "" when it names
/// none and Docker Hub is meant.
std::string_view registry_of_search(std::string_view term);

void describe(json::Fields& f, AuthConfig& config);
void describe(json::Fields& f, AuthAnswer& answer);
void describe(json::Fields& f, DistributionInspect& answer);
void describe(json::Fields& f, SearchResult& result);

/// Reads a header's base64 of an AuthConfig; an empty one, as Docker's engine does, when that cannot be read.
/// User and password come out of `auth` when only that is given.
AuthConfig decode_auth(std::string_view header);
std::string encode_auth(const AuthConfig& config);
/// Fills user and password from `auth` unless they are there.
void split_auth(AuthConfig& config);

}  // namespace skiff::spec::docker
