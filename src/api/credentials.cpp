#include "api/credentials.h"

#include "base/base64.h"
#include "registry/client/endpoint.h"

namespace skiff::api {

std::map<std::string, spec::docker::AuthConfig> credentials_for_all(const Call& call) {
  std::map<std::string, spec::docker::AuthConfig> found;
  const auto text = decode_base64(call.http.fields().get("X-Registry-Config"));
  const auto parsed = text ? json::parse(*text) : Result<json::Value>(json::Value());
  const auto* object = parsed.ok() ? parsed->if_object() : nullptr;
  if (!object) return found;
  for (const auto& [server, value] : *object) {
    auto config = json::from_value<spec::docker::AuthConfig>(value);
    if (!config.ok()) continue;
    spec::docker::split_auth(*config);
    found[registry::registry_of(server)] = *std::move(config);
  }
  return found;
}

}  // namespace skiff::api
