#pragma once

#include <string>

#include "base/result.h"
#include "cli/cli.h"
#include "spec/reference.h"

namespace skiff::cli {

/// The X-Registry-Auth header for the registry that an image's name means. What a credential helper cannot
/// give is said on standard error, and asked for without: the registry may not want it. InvalidArgument for a
/// configuration file that cannot be read.
Result<std::string> registry_auth(Cli& cli, const spec::Reference& image);
/// For a server as the configuration file names it.
Result<std::string> registry_auth(Cli& cli, const std::string& server);

}  // namespace skiff::cli
