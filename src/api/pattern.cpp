#include "api/pattern.h"

namespace skiff::api {
namespace {

bool next_segment(std::string_view& text, std::string_view& segment) {
  if (text.empty() || text.front() != '/') return false;
  text.remove_prefix(1);
  segment = text.substr(0, text.find('/'));
  text.remove_prefix(segment.size());
  return true;
}

bool match_rest(std::string_view pattern, std::string_view path, std::vector<std::string>& values) {
  std::string_view wanted;
  if (!next_segment(pattern, wanted)) return path.empty();
  if (wanted.starts_with('{') && wanted.ends_with("...}")) {
    // The longest value first, as the greedy expression of Docker's router has it.
    if (path.size() < 2 || path.front() != '/') return false;
    for (std::size_t end = path.size(); end != std::string_view::npos && end > 1;
         end = path.rfind('/', end - 1)) {
      const std::size_t before = values.size();
      values.emplace_back(path.substr(1, end - 1));
      if (match_rest(pattern, path.substr(end), values)) return true;
      values.resize(before);
    }
    return false;
  }
  std::string_view segment;
  if (!next_segment(path, segment)) return false;
  if (wanted.starts_with('{')) {
    if (segment.empty()) return false;
    values.emplace_back(segment);
  } else if (wanted != segment) {
    return false;
  }
  return match_rest(pattern, path, values);
}

}  // namespace

std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> values;
  if (!match_rest(pattern, path, values)) return std::nullopt;
  return values;
}

}  // namespace skiff::api
