#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/thread.h"
#include "http/web.h"
#include "registry/client/challenge.h"

namespace skiff::registry {

/// Who asks, as Docker's clients know it.
struct Credentials {
  std::string user;
  std::string password;
  std::string identity_token;  ///< buys access tokens in place of a password
  std::string registry_token;  ///< an access token as it is
  bool empty() const { return user.empty() && identity_token.empty() && registry_token.empty(); }
};

/// Says who asks, the way the registry wants it: nothing, basic authentication, or a token from the server
/// that its challenge names (distribution's "Token Authentication Specification"). Tokens are kept until
/// shortly before they end. Thread-safe. Credentials go to the registry and to its token server, to nobody
/// else.
class Authorizer {
 public:
  explicit Authorizer(Credentials credentials) : credentials_(std::move(credentials)) {}

  /// Takes note of what an answer of status 401 wants; without challenges nothing changes. A token that was
  /// good until now is forgotten.
  void challenged(const http::WebResponse& response) EXCLUDES(mutex_);

  /// The Authorization line for a request that needs `scopes` ("repository:library/busybox:pull"); "" when
  /// none was asked for so far. Forbidden "no basic auth credentials", and what the token server says.
  Result<std::string> line(const std::vector<std::string>& scopes, const http::WebTrust& trust,
                           const std::stop_token& stop) EXCLUDES(mutex_);

  /// A login: asks the token server for a token that names nothing, in exchange for user and password. What
  /// comes back is an identity token that the server offers, or "".
  Result<std::string> login(const http::WebTrust& trust, const std::stop_token& stop) EXCLUDES(mutex_);
  /// The scheme that is wanted, "" so far.
  std::string scheme() const EXCLUDES(mutex_);

 private:
  struct Token {
    std::string value;
    std::string identity;
    std::chrono::steady_clock::time_point end;
  };
  Result<Token> fetch(const Challenge& challenge, const std::vector<std::string>& scopes, bool offline,
                      const http::WebTrust& trust, const std::stop_token& stop) const;
  Result<http::WebResponse> ask(const Challenge& challenge, const std::vector<std::string>& scopes,
                                bool offline, const http::WebTrust& trust, const std::stop_token& stop) const;

  const Credentials credentials_;
  mutable Mutex mutex_;
  std::optional<Challenge> challenge_ GUARDED_BY(mutex_);
  std::map<std::vector<std::string>, Token> tokens_ GUARDED_BY(mutex_);
};

}  // namespace skiff::registry
