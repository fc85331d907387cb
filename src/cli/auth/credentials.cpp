#include "cli/auth/credentials.h"

#include <sys/wait.h>

#include "base/base64.h"
#include "base/strings.h"
#include "sys/spawn.h"

namespace skiff::cli {
namespace {

constexpr std::string_view kTokenUser = "<token>";  // of secrets that are identity tokens

/// What passes between us and a helper.
struct Secret {
  std::string server;
  std::string user;
  std::string secret;
};
void describe(json::Fields& f, Secret& secret) {
  f("ServerURL", secret.server);
  f("Username", secret.user);
  f("Secret", secret.secret);
}

/// Runs a helper; NotFound when it has nothing for the server.
Result<std::string> ask(const std::string& helper, const std::string& verb, std::string_view input) {
  sys::SpawnOptions options;
  options.program = "docker-credential-" + helper;
  options.search_path = true;
  options.arguments = {options.program, verb};
  const std::string_view doing = verb == "store"   ? "storing"
                                 : verb == "erase" ? "erasing"
                                 : verb == "list"  ? "listing"
                                                   : "getting";
  const auto output = sys::run(options, input);
  if (!output.ok() && output.error().kind() == Kind::NotFound)
    return fail(Kind::Unavailable,
                "error {} credentials - err: exec: {}: executable file not found in $PATH, out: ``", doing,
                quote(options.program));
  if (!output.ok()) return output.error().with_context(fmt::format("error {} credentials - err", doing));
  if (WIFEXITED(output->status) && WEXITSTATUS(output->status) == 0) return output->standard_output;
  const std::string_view said = trim(output->standard_output);
  if (said.find("credentials not found") != std::string_view::npos)
    return Error(Kind::NotFound, std::string(said));
  return fail(Kind::Unavailable, "error {} credentials - err: exit status {}, out: `{}`", doing,
              WEXITSTATUS(output->status), said);
}

Result<spec::docker::AuthConfig> get_from(const std::string& helper, const std::string& server) {
  spec::docker::AuthConfig config;
  auto text = ask(helper, "get", server);
  if (!text.ok()) return text.error().kind() == Kind::NotFound ? Result(config) : text.error();
  auto secret = TRY_CONTEXT(json::decode<Secret>(*text), "docker-credential-{}", helper);
  config.server_address = server;
  if (secret.user == kTokenUser)
    config.identity_token = std::move(secret.secret);
  else
    config.username = std::move(secret.user), config.password = std::move(secret.secret);
  return config;
}

}  // namespace

std::string server_name(std::string_view address) {
  if (address == kHubServer) return std::string(address);
  for (const std::string_view scheme : {"https://", "http://"})
    if (address.starts_with(scheme)) address.remove_prefix(scheme.size());
  return std::string(cut(address, '/').first);
}

std::string server_of(const spec::Reference& image) {
  return image.domain() == "docker.io" ? std::string(kHubServer) : image.domain();
}

Result<CredentialStore> CredentialStore::open(const std::string& config_directory) {
  return CredentialStore(TRY(ConfigFile::load(config_directory)));
}

Result<spec::docker::AuthConfig> CredentialStore::get(const std::string& server) {
  if (const std::string helper = file_.helper_of(server); !helper.empty()) return get_from(helper, server);
  const auto all = file_.auths();
  if (const auto exact = all.find(server); exact != all.end()) return exact->second;
  // Older clients wrote the whole address.
  for (const auto& [address, config] : all)
    if (server_name(address) == server) return config;
  return spec::docker::AuthConfig();
}

Result<std::map<std::string, spec::docker::AuthConfig>> CredentialStore::all() {
  auto found = file_.auths();
  auto servers = file_.servers_with_helpers();
  if (const std::string helper = file_.helper_of(""); !helper.empty()) {
    const std::string text = TRY(ask(helper, "list", ""));
    const auto listed = TRY_CONTEXT(json::parse(text), "docker-credential-{}", helper);
    if (const auto* object = listed.if_object())
      for (const auto& [server, user] : *object) servers.emplace_back(server);
  }
  for (const auto& server : servers) {
    auto config = TRY(get(server));
    if (!config.username.empty() || !config.identity_token.empty()) found[server] = std::move(config);
  }
  return found;
}

Result<bool> CredentialStore::store(const std::string& server, const spec::docker::AuthConfig& config) {
  const std::string helper = file_.helper_of(server);
  if (helper.empty()) {
    const auto all = file_.auths();
    const auto known = all.find(server);
    if (known != all.end() && known->second.username == config.username &&
        known->second.password == config.password && known->second.identity_token == config.identity_token)
      return false;
    file_.set_auth(server, config);
    TRY_CONTEXT(file_.save(), "Error saving credentials");
    return true;
  }
  const bool is_token = !config.identity_token.empty();
  const Secret secret{server, is_token ? std::string(kTokenUser) : config.username,
                      is_token ? config.identity_token : config.password};
  TRY_CONTEXT(ask(helper, "store", json::encode(secret)), "Error saving credentials");
  // An entry without secrets tells other clients that there is something.
  file_.set_auth(server, {});
  TRY(file_.save());
  return false;
}

Result<void> CredentialStore::erase(const std::string& server) {
  std::vector<std::string> addresses = {server};
  if (server != kHubServer) addresses.insert(addresses.end(), {"http://" + server, "https://" + server});
  bool changed = false;
  for (const auto& address : addresses) {
    if (const std::string helper = file_.helper_of(address); !helper.empty()) {
      const auto erased = ask(helper, "erase", address);
      if (!erased.ok() && erased.error().kind() != Kind::NotFound) return erased.error();
    }
    changed |= file_.erase_auth(address);
  }
  return changed ? file_.save() : success();
}

Result<std::string> encode_all_auths(const std::string& config_directory) {
  auto store = TRY(CredentialStore::open(config_directory));
  json::Object all;
  for (const auto& [server, config] : TRY(store.all())) all[server] = json::to_value(config);
  return encode_base64_url(json::to_text(all));
}

}  // namespace skiff::cli
