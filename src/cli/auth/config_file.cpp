#include "cli/auth/config_file.h"

#include "base/base64.h"
#include "sys/file.h"

namespace skiff::cli {
namespace {

constexpr std::size_t kLargestFile = 16 << 20;

std::string text_of(const json::Object* object, std::string_view name) {
  const json::Value* found = object ? object->if_contains(name) : nullptr;
  return found && found->is_string() ? std::string(found->get_string()) : "";
}

}  // namespace

Result<ConfigFile> ConfigFile::load(const std::string& directory) {
  const std::string path = directory + "/config.json";
  auto text = sys::read_file(path, kLargestFile);
  if (!text.ok() && text.error().kind() == Kind::NotFound) return ConfigFile(directory, {});
  auto value = TRY_CONTEXT(json::parse(TRY(text)), "Error loading config file: {}", path);
  auto* object = value.if_object();
  if (!object) return fail(Kind::InvalidArgument, "Error loading config file: {}: not a JSON object", path);
  return ConfigFile(directory, std::move(*object));
}

json::Object* ConfigFile::member(std::string_view name) {
  json::Value* found = content_.if_contains(name);
  return found ? found->if_object() : nullptr;
}

const json::Object* ConfigFile::member(std::string_view name) const {
  const json::Value* found = content_.if_contains(name);
  return found ? found->if_object() : nullptr;
}

std::string ConfigFile::helper_of(const std::string& server) const {
  if (std::string own = text_of(member("credHelpers"), server); !own.empty()) return own;
  return text_of(&content_, "credsStore");
}

std::vector<std::string> ConfigFile::servers_with_helpers() const {
  std::vector<std::string> servers;
  if (const auto* helpers = member("credHelpers"))
    for (const auto& [server, helper] : *helpers) servers.emplace_back(server);
  return servers;
}

std::map<std::string, spec::docker::AuthConfig> ConfigFile::auths() const {
  std::map<std::string, spec::docker::AuthConfig> found;
  const auto* all = member("auths");
  if (!all) return found;
  for (const auto& [server, value] : *all) {
    auto config = json::from_value<spec::docker::AuthConfig>(value);
    if (!config.ok()) continue;
    spec::docker::split_auth(*config);
    config->auth.clear();
    config->server_address = std::string(server);
    found.emplace(server, *std::move(config));
  }
  return found;
}

void ConfigFile::set_auth(const std::string& server, const spec::docker::AuthConfig& config) {
  json::Object entry;
  if (!config.username.empty() || !config.password.empty())
    entry["auth"] = encode_base64(config.username + ":" + config.password);
  if (!config.identity_token.empty()) entry["identitytoken"] = config.identity_token;
  json::Object* auths = member("auths");
  if (!auths) {
    content_["auths"] = json::Object();
    auths = member("auths");
  }
  (*auths)[server] = std::move(entry);
}

bool ConfigFile::erase_auth(const std::string& server) {
  json::Object* auths = member("auths");
  return auths && auths->erase(server) > 0;
}

Result<void> ConfigFile::save() const {
  TRY(sys::make_directories(directory_, 0700));
  return sys::replace_file(path_, json::to_pretty_text(content_, "\t"), 0600);
}

}  // namespace skiff::cli
