#pragma once

#include <string_view>

#include "base/result.h"
#include "cli/template/node.h"

namespace skiff::cli::templates {

/// The tree of a template; errors are worded as Go's ("template: :1: unexpected EOF").
Result<Node> parse(std::string_view text);

/// Whether there is a function of that name.
bool is_function(std::string_view name);

}  // namespace skiff::cli::templates
