#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace skiff::registry::server {

enum class Action : std::uint8_t { Pull, Push, Delete };
std::string_view to_string(Action action);

/// What the one who asks may do.
struct Caller {
  std::string user;  ///< "" for somebody without a name
  bool authenticated = false;
  std::function<bool(Action, std::string_view repository)> may;
};

/// One line of the rights: who may do what where.
struct Right {
  std::vector<std::string> users;         ///< "*": everybody with a name; "anonymous": those without
  std::vector<std::string> repositories;  ///< patterns: '*' stands for any characters, '/' among them
  std::vector<std::string> actions;       ///< "pull", "push", "delete" or "*"
};
void describe(json::Fields& f, Right& right);

/// Rights by user and repository. What no line gives is not allowed; without any line a user may do
/// everything, and somebody without a name nothing.
class Rights {
 public:
  /// InvalidArgument for unknown actions and lines without users or repositories.
  static Result<Rights> create(std::vector<Right> lines);
  bool allow(std::string_view user, Action action, std::string_view repository) const;

 private:
  explicit Rights(std::vector<Right> lines) : lines_(std::move(lines)) {}
  std::vector<Right> lines_;
};

/// `pattern` with '*' for any characters.
bool matches(std::string_view pattern, std::string_view text);

}  // namespace skiff::registry::server
