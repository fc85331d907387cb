#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff::api {

/// Matches a decoded path with a pattern such as "/containers/{id}/json". "{x}" is one non-empty segment,
/// "{x...}" one or more of them ("/images/{name...}/json", because image names have slashes). The values come
/// back in order.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path);

}  // namespace skiff::api
