#pragma once

#include <string>
#include <string_view>

#include "cli/command.h"

/// Help texts, laid out as Docker's.
namespace skiff::cli {

std::string root_help(std::string_view program, FlagSet& globals);
std::string group_help(std::string_view program, const Group& group);
std::string command_help(std::string_view program, const Entry& entry, const Command& command);
/// "docker run [OPTIONS] IMAGE [COMMAND] [ARG...]"
std::string usage_line(std::string_view program, const Entry& entry);

}  // namespace skiff::cli
