#include "registry/server/access.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::registry::server {
namespace {

constexpr std::string_view kAnybody = "*";
constexpr std::string_view kAnonymous = "anonymous";

bool names(const Right& right, std::string_view user) {
  return std::any_of(right.users.begin(), right.users.end(), [&](const std::string& name) {
    return user.empty() ? name == kAnonymous : name == kAnybody || (name == user && name != kAnonymous);
  });
}

bool holds(const std::vector<std::string>& actions, Action action) {
  return std::any_of(actions.begin(), actions.end(),
                     [&](const std::string& name) { return name == "*" || name == to_string(action); });
}

}  // namespace

std::string_view to_string(Action action) {
  switch (action) {
    case Action::Pull:
      return "pull";
    case Action::Push:
      return "push";
    case Action::Delete:
      return "delete";
  }
  return "";
}

void describe(json::Fields& f, Right& right) {
  f("users", right.users);
  f("repositories", right.repositories);
  f("actions", right.actions);
}

Result<Rights> Rights::create(std::vector<Right> lines) {
  for (const auto& line : lines) {
    if (line.users.empty() || line.repositories.empty() || line.actions.empty())
      return Error(Kind::InvalidArgument, "access: each line needs users, repositories and actions");
    for (const auto& action : line.actions)
      if (action != "*" && action != "pull" && action != "push" && action != "delete")
        return fail(Kind::InvalidArgument, "access: unknown action {}", quote(action));
  }
  return Rights(std::move(lines));
}

bool Rights::allow(std::string_view user, Action action, std::string_view repository) const {
  if (lines_.empty()) return !user.empty();
  return std::any_of(lines_.begin(), lines_.end(), [&](const Right& line) {
    return names(line, user) && holds(line.actions, action) &&
           std::any_of(line.repositories.begin(), line.repositories.end(),
                       [&](const std::string& pattern) { return matches(pattern, repository); });
  });
}

bool matches(std::string_view pattern, std::string_view text) {
  // The last star is tried with ever more characters; earlier ones need no second try.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

}  // namespace skiff::registry::server
