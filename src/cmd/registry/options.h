#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "http/tls/tls.h"
#include "registry/server/caretaker.h"
#include "registry/server/registry.h"
#include "registry/server/s3/client.h"

namespace skiff::registry_options {

/// What the command line and registry.json together say.
struct Options {
  std::vector<std::string> listen;
  std::string metrics_listen;
  std::string root = "/var/lib/skiff/registry";
  registry::server::s3::Settings s3;  ///< in place of `root` when it names a bucket
  std::string engine;                 ///< address: its images in place of `root`, read-only; or ""
  http::TlsFiles tls;
  registry::server::RegistrySettings registry;
  registry::server::CareSettings care;
  std::int64_t max_connections = 4096;
  std::int64_t stop_timeout = 30'000'000'000;  ///< nanoseconds
  bool debug = false;
  std::string config_file = "/etc/skiff/registry.json";
  bool validate = false;
  bool version = false;
  bool help = false;
  std::string help_text;  ///< with help
};

/// Reads the flags of `skiff registry serve`, then the configuration file: one that was named must exist, the
/// default one may be missing. A flag that was given wins over the file. InvalidArgument and NotFound with
/// sentences for a person.
Result<Options> read_options(const std::vector<std::string>& arguments);

}  // namespace skiff::registry_options
