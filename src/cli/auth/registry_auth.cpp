#include "cli/auth/registry_auth.h"

#include "cli/auth/credentials.h"

namespace skiff::cli {

Result<std::string> registry_auth(Cli& cli, const spec::Reference& image) {
  return registry_auth(cli, server_of(image));
}

Result<std::string> registry_auth(Cli& cli, const std::string& server) {
  auto store = TRY(CredentialStore::open(cli.globals.config_directory));
  auto config = store.get(server);
  if (!config.ok()) {
    cli.err.print("WARNING: {}\n", config.error().message());
    config = spec::docker::AuthConfig();
  }
  return spec::docker::encode_auth(*config);
}

}  // namespace skiff::cli
