#include "registry/client/authorizer.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/strings.h"
#include "registry/client/refusal.h"

namespace skiff::registry {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kClient = "docker";  // token servers know clients by name, and this one
constexpr std::chrono::seconds kLeastLife{60};  // of a token that does not say: the specification's
constexpr std::chrono::seconds kMargin{5};
constexpr int kMostRedirects = 5;

struct TokenAnswer {
  std::string token;
  std::string access_token;
  std::string refresh_token;
  std::int64_t expires_in = 0;
};
void describe(json::Fields& f, TokenAnswer& answer) {
  f("token", answer.token);
  f("access_token", answer.access_token);
  f("refresh_token", answer.refresh_token);
  f("expires_in", answer.expires_in);
}

std::string parameter(const Challenge& challenge, const std::string& name) {
  const auto found = challenge.parameters.find(name);
  return found == challenge.parameters.end() ? "" : found->second;
}

std::string basic(const Credentials& credentials) {
  return "Basic " + encode_base64(credentials.user + ":" + credentials.password);
}

void add_pair(std::string& text, std::string_view name, std::string_view value) {
  if (!text.empty()) text += '&';
  text += fmt::format("{}={}", name, http::percent_encode(value));
}

/// A body from memory.
http::BodySource source_of(std::string body) {
  return [body = std::move(body), at = std::size_t{0}](char* buffer,
                                                       std::size_t size) mutable -> Result<std::size_t> {
    const std::size_t count = std::min(size, body.size() - at);
    body.copy(buffer, count, at);
    at += count;
    return count;
  };
}

}  // namespace

void Authorizer::challenged(const http::WebResponse& response) {
  const auto challenges = parse_challenges(response.fields);
  const MutexLock lock(mutex_);
  tokens_.clear();
  for (const std::string_view wanted : {"bearer", "basic"})
    for (const auto& challenge : challenges)
      if (challenge.scheme == wanted) {
        challenge_ = challenge;
        return;
      }
}

std::string Authorizer::scheme() const {
  const MutexLock lock(mutex_);
  return challenge_ ? challenge_->scheme : "";
}

Result<std::string> Authorizer::line(const std::vector<std::string>& scopes, const http::WebTrust& trust,
                                     const std::stop_token& stop) {
  Challenge challenge;
  {
    const MutexLock lock(mutex_);
    if (!challenge_) return std::string();
    challenge = *challenge_;
    if (const auto known = tokens_.find(scopes); known != tokens_.end() && Clock::now() < known->second.end)
      return "Bearer " + known->second.value;
  }
  if (challenge.scheme == "basic") {
    if (credentials_.user.empty()) return Error(Kind::Forbidden, "no basic auth credentials");
    return basic(credentials_);
  }
  if (!credentials_.registry_token.empty()) return "Bearer " + credentials_.registry_token;
  // Two that ask at once get two tokens: cheaper than to hold a lock over the network.
  Token token = TRY(fetch(challenge, scopes, false, trust, stop));
  const MutexLock lock(mutex_);
  tokens_.insert_or_assign(scopes, token);
  return "Bearer " + token.value;
}

Result<std::string> Authorizer::login(const http::WebTrust& trust, const std::stop_token& stop) {
  Challenge challenge;
  {
    const MutexLock lock(mutex_);
    if (challenge_) challenge = *challenge_;
  }
  return TRY(fetch(challenge, {}, true, trust, stop)).identity;
}

Result<http::WebResponse> Authorizer::ask(const Challenge& challenge, const std::vector<std::string>& scopes,
                                          bool offline, const http::WebTrust& trust,
                                          const std::stop_token& stop) const {
  const auto session = TRY(http::WebSession::open(trust));
  http::WebRequest request;
  request.url = parameter(challenge, "realm");
  const std::string service = parameter(challenge, "service");
  if (!credentials_.identity_token.empty()) {
    std::string form;
    add_pair(form, "grant_type", "refresh_token");
    add_pair(form, "refresh_token", credentials_.identity_token);
    add_pair(form, "service", service);
    add_pair(form, "client_id", kClient);
    if (!scopes.empty()) add_pair(form, "scope", join(scopes, " "));
    request.method = "POST";
    request.fields.add("Content-Type", "application/x-www-form-urlencoded");
    request.body_size = form.size();
    request.source = source_of(std::move(form));
    return session->perform(request, stop);
  }
  std::string query;
  if (!service.empty()) add_pair(query, "service", service);
  for (const auto& scope : scopes) add_pair(query, "scope", scope);
  if (offline) {
    add_pair(query, "offline_token", "true");
    add_pair(query, "client_id", kClient);
  }
  if (!credentials_.user.empty()) {
    add_pair(query, "account", credentials_.user);
    request.fields.add("Authorization", basic(credentials_));
  } else {
    request.redirects = kMostRedirects;
  }
  if (!query.empty()) request.url += (request.url.find('?') == std::string::npos ? "?" : "&") + query;
  return session->perform(request, stop);
}

Result<Authorizer::Token> Authorizer::fetch(const Challenge& challenge,
                                            const std::vector<std::string>& scopes, bool offline,
                                            const http::WebTrust& trust, const std::stop_token& stop) const {
  if (!parameter(challenge, "realm").starts_with("http"))
    return Error(Kind::Unavailable, "no realm specified for token auth challenge");
  const auto response = TRY(ask(challenge, scopes, offline, trust, stop));
  if (!response.ok()) return refusal(response);
  auto answer = TRY_CONTEXT(json::decode<TokenAnswer>(response.body), "unable to decode token response");
  Token token;
  token.value = answer.token.empty() ? std::move(answer.access_token) : std::move(answer.token);
  token.identity = std::move(answer.refresh_token);
  if (token.value.empty())
    return Error(Kind::Unavailable, "authorization server did not include a token in the response");
  token.end = Clock::now() + std::max(std::chrono::seconds(answer.expires_in), kLeastLife) - kMargin;
  return token;
}

}  // namespace skiff::registry
