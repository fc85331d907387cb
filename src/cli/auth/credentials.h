#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "cli/auth/config_file.h"
#include "spec/reference.h"

namespace skiff::cli {

/// The name under which Docker keeps what belongs to Docker Hub.
inline constexpr std::string_view kHubServer = "https://index.docker.io/v1/";

/// A user's credentials for registries: in the configuration file, or with the helper program that it names
/// (docker-credential-<name>, github.com/docker/docker-credential-helpers). Errors of helpers are theirs.
class CredentialStore {
 public:
  explicit CredentialStore(ConfigFile file) : file_(std::move(file)) {}
  static Result<CredentialStore> open(const std::string& config_directory);

  /// Empty when there are none.
  Result<spec::docker::AuthConfig> get(const std::string& server);
  /// For the X-Registry-Config header of a build: all that there are.
  Result<std::map<std::string, spec::docker::AuthConfig>> all();
  /// True when they were written to the file, where anybody who can read it can read them; what it had
  /// already is not. An error begins with "Error saving credentials".
  Result<bool> store(const std::string& server, const spec::docker::AuthConfig& config);
  /// Also what older clients wrote down under the server's whole address.
  Result<void> erase(const std::string& server);

  const std::string& path() const { return file_.path(); }

 private:
  ConfigFile file_;
};

/// The server that an image's name means, as the file names it.
std::string server_of(const spec::Reference& image);
/// "https://registry.example/v2/" as the file names it: "registry.example".
std::string server_name(std::string_view address);

/// All credentials, as the X-Registry-Config header carries them to an engine that may need any of them.
Result<std::string> encode_all_auths(const std::string& config_directory);

}  // namespace skiff::cli
