#pragma once

#include <string>

#include "cmd/oci/commands.h"

namespace skiff::oci {

std::string help(const std::vector<Command>& commands, const std::vector<Flag>& global);
std::string help(const Command& command);

}  // namespace skiff::oci
