#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "registry/server/access.h"
#include "registry/server/htpasswd.h"
#include "registry/server/token.h"

namespace skiff::registry::server {

struct AuthenticationSettings {
  std::string htpasswd;  ///< path; "" for none
  std::vector<Right> rights;
  std::optional<TokenSettings> token;
};

/// Who asks, by what a request's Authorization header proves. Thread-safe.
class Authentication {
 public:
  static Result<std::unique_ptr<Authentication>> create(AuthenticationSettings settings);

  /// True when callers have to prove who they are.
  bool required() const { return htpasswd_ || verifier_; }
  /// Forbidden, with the reason, for credentials that are wrong. Without any the caller has no name.
  Result<Caller> identify(const http::Exchange& http) const;
  /// What WWW-Authenticate says to somebody who lacks `action` on `repository` (both may be empty).
  std::string challenge(std::string_view repository, std::string_view actions, bool insufficient) const;

 private:
  explicit Authentication(Rights rights) : rights_(std::move(rights)) {}
  Result<Caller> basic(std::string_view encoded) const;
  Result<Caller> bearer(std::string_view token) const;

  const Rights rights_;
  std::unique_ptr<Htpasswd> htpasswd_;
  std::unique_ptr<TokenVerifier> verifier_;
};

}  // namespace skiff::registry::server
