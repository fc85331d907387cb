#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "spec/docker/registry.h"

namespace skiff::cli {

/// Docker's configuration file of a user: what it says of registries, and everything else as it is. Written
/// whole, with mode 0600, as Docker's client writes it.
class ConfigFile {
 public:
  /// A missing file is an empty one; InvalidArgument for one that is no JSON object.
  static Result<ConfigFile> load(const std::string& directory);

  const std::string& path() const { return path_; }
  /// The program that keeps the credentials of `server`, "pass" for docker-credential-pass; "" for this file.
  std::string helper_of(const std::string& server) const;
  /// What stands in "auths".
  std::map<std::string, spec::docker::AuthConfig> auths() const;
  /// Servers that have a helper of their own.
  std::vector<std::string> servers_with_helpers() const;

  void set_auth(const std::string& server, const spec::docker::AuthConfig& config);
  /// False when there was none.
  bool erase_auth(const std::string& server);
  Result<void> save() const;

 private:
  ConfigFile(std::string directory, json::Object content)
      : directory_(std::move(directory)), path_(directory_ + "/config.json"), content_(std::move(content)) {}
  json::Object* member(std::string_view name);
  const json::Object* member(std::string_view name) const;

  std::string directory_;
  std::string path_;
  json::Object content_;
};

}  // namespace skiff::cli
