#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "registry/server/access.h"

struct evp_pkey_st;

namespace skiff::registry::server {

/// What is expected of tokens that another server gives out (distribution's "Token Authentication
/// Specification").
struct TokenSettings {
  std::string realm;    ///< URL where clients get their tokens
  std::string service;  ///< this registry's name: the tokens' audience
  std::string issuer;
  std::string keys;  ///< PEM file with the issuer's certificates or public keys
};

/// What a token says that its bearer may do.
struct Grant {
  std::string type;  ///< "repository", "registry"
  std::string name;
  std::vector<std::string> actions;
};
struct Claims {
  std::string issuer;
  std::string subject;
  std::vector<std::string> audience;
  std::int64_t expires = 0;
  std::int64_t not_before = 0;
  std::vector<Grant> access;
};
void describe(json::Fields& f, Grant& grant);
void describe(json::Fields& f, Claims& claims);

/// Checks bearer tokens: JSON web tokens (RFC 7519) signed with RS256, ES256 or EdDSA by one of the keys.
/// Thread-safe.
class TokenVerifier {
 public:
  /// InvalidArgument when the file holds no key.
  static Result<std::unique_ptr<TokenVerifier>> create(const TokenSettings& settings);
  ~TokenVerifier();

  /// Forbidden says why the token does not count at the time `at`.
  Result<Claims> verify(std::string_view token, Time at) const;
  const TokenSettings& settings() const { return settings_; }

 private:
  explicit TokenVerifier(TokenSettings settings);
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };
  bool is_signed(std::string_view algorithm, std::string_view text, std::string_view signature) const;

  const TokenSettings settings_;
  std::vector<std::unique_ptr<evp_pkey_st, Free>> keys_;
};

/// What `claims` allow.
bool allow(const Claims& claims, Action action, std::string_view repository);

}  // namespace skiff::registry::server
