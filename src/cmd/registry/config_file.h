#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "registry/server/access.h"

namespace skiff::registry_options {

/// A line of "quotas" in the file.
struct FileQuota {
  std::vector<std::string> repositories;
  std::string size;  ///< "10g"
};

void describe(json::Fields& f, FileQuota& quota);

/// A line of "upstreams" in the file: a registry that is copied from.
struct FileUpstream {
  std::string registry;               ///< "docker.io", "registry.example:5000"
  std::optional<std::string> prefix;  ///< of the names here; the registry's own name when it is missing
  std::string user;
  std::string password_file;
  std::string fresh = "5m";  ///< how long a tag is believed without asking
  bool insecure = false;     ///< plain HTTP, certificates that are not checked
};
void describe(json::Fields& f, FileUpstream& upstream);

/// The configuration file: flags by their names, and what is too long for a flag.
struct ConfigFile {
  std::map<std::string, std::vector<std::string>> flags;  ///< flag to its values, as on a command line
  std::vector<registry::server::Right> access;
  std::vector<FileQuota> quotas;
  std::vector<FileUpstream> upstreams;
};

/// InvalidArgument names the member that has the wrong type. Members that no flag has are left to the caller.
Result<ConfigFile> read_config_file(const std::string& path);

}  // namespace skiff::registry_options
