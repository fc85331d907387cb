#include "spec/docker/registry.h"

#include "base/base64.h"
#include "base/strings.h"

namespace skiff::spec::docker {

using json::Omit;

void describe(json::Fields& f, AuthConfig& config) {
  f("username", config.username, Omit::Empty);
  f("password", config.password, Omit::Empty);
  f("auth", config.auth, Omit::Empty);
  f("serveraddress", config.server_address, Omit::Empty);
  f("identitytoken", config.identity_token, Omit::Empty);
  f("registrytoken", config.registry_token, Omit::Empty);
}

void describe(json::Fields& f, AuthAnswer& answer) {
  f("IdentityToken", answer.identity_token);
  f("Status", answer.status);
}

void describe(json::Fields& f, DistributionInspect& answer) {
  f("Descriptor", answer.descriptor);
  f("Platforms", answer.platforms);
}

void describe(json::Fields& f, SearchResult& result) {
  f("star_count", result.star_count);
  f("is_official", result.is_official);
  f("name", result.name);
  f("is_automated", result.is_automated);
  f("description", result.description);
}

std::string_view registry_of_search(std::string_view term) {
  const auto [first, rest] = cut(term, '/');
  if (!rest) return {};
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ? first
                                                                                     : std::string_view();
}

void split_auth(AuthConfig& config) {
  if (!config.username.empty() || config.auth.empty()) return;
  const auto text = decode_base64(config.auth);
  if (!text) return;
  const auto [user, password] = cut(*text, ':');
  config.username = user;
  // Some clients end it with a NUL.
  config.password = password.value_or("").substr(0, password.value_or("").find('\0'));
}

AuthConfig decode_auth(std::string_view header) {
  const auto text = decode_base64(header);
  if (!text) return {};
  auto config = json::decode<AuthConfig>(*text);
  if (!config.ok()) return {};
  split_auth(*config);
  return *std::move(config);
}

std::string encode_auth(const AuthConfig& config) { return encode_base64_url(json::encode(config)); }

}  // namespace skiff::spec::docker
