#pragma once

#include <span>
#include <string>

#include "cmd/oci/commands.h"

namespace skiff::oci {

std::string help(std::span<const Command> commands, std::span<const Flag> global);
std::string help(const Command& command);

}  // namespace skiff::oci
