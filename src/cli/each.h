#pragma once

#include <functional>
#include <string>

#include "cli/cli.h"
#include "cli/command.h"

namespace skiff::cli {

/// Does `action` with every name, several at once, each with a connection of its own; prints the names in
/// their order as they are done, then the errors. The exit code is 1 when one failed.
Result<int> for_each_parallel(Cli& cli, const Arguments& names,
                              const std::function<Result<void>(client::Client&, const std::string&)>& action);

/// The same one after the other; `action` gives the line to print.
Result<int> for_each(Cli& cli, const Arguments& names,
                     const std::function<Result<std::string>(client::Client&, const std::string&)>& action);

/// --filter values as the engine takes them.
client::Filters to_filters(const std::vector<std::string>& values);

}  // namespace skiff::cli
