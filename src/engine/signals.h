#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace skiff::engine {

/// "KILL", "SIGKILL", "sigkill", "9", "RTMIN+3". InvalidArgument: "invalid signal: x".
Result<int> parse_signal(std::string_view text);

}  // namespace skiff::engine
