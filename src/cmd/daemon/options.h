#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "spec/engine_config.h"

namespace skiff::daemon {

/// Proxies in place of those of the environment; "" leaves them as they are.
struct Proxies {
  std::string http;  ///< "http://proxy.example:3128"
  std::string https;
  std::string none;  ///< what is reached without: "localhost,.example.com,10.0.0.0/8"
};

/// What the command line and daemon.json together say.
struct Options {
  spec::EngineConfig config;
  Proxies proxies;
  std::string config_file = "/etc/skiff/daemon.json";
  bool validate = false;
  bool version = false;
  bool help = false;
  std::string help_text;  ///< with help
};

/// Reads dockerd's flags (and our own), then the configuration file: one that was named must exist, the
/// default one may be missing. An option in both is an error, as in Docker, except for those that a file can
/// only add to. What neither says is filled in. InvalidArgument and NotFound with sentences for a person.
Result<Options> read_options(const std::vector<std::string>& arguments, const std::string& own_program);

/// The configuration file's `debug` alone: what a running engine takes over on SIGHUP.
Result<bool> read_debug(const std::string& config_file, bool otherwise);

}  // namespace skiff::daemon
