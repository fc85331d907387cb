#pragma once

#include "cli/cli.h"
#include "cli/session.h"

namespace skiff::cli {

/// A member of a JSON object by its path; null when something on the way is missing.
const json::Value& member(const json::Value& object, std::initializer_list<std::string_view> path);
bool truth(const json::Value& object, std::initializer_list<std::string_view> path);
std::string text(const json::Value& object, std::initializer_list<std::string_view> path);

}  // namespace skiff::cli
