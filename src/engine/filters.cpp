#include "engine/filters.h"

#include <regex>

#include "base/json.h"
#include "base/strings.h"

namespace skiff::engine {
namespace {

Error bad_filter() { return Error(Kind::InvalidArgument, "invalid filter"); }

/// A user's pattern as the regular expression Docker takes it for; nothing when it is none. Patterns are
/// short because std::regex recurses: a long one could exhaust the stack.
bool regex_matches(const std::string& pattern, std::string_view text) {
  constexpr std::size_t kLongest = 256;
  if (pattern.size() > kLongest || text.size() > kLongest) return false;
  try {
    return std::regex_search(text.begin(), text.end(), std::regex(pattern, std::regex::ECMAScript));
  } catch (const std::regex_error&) {
    return false;
  }
}

bool label_matches(const std::string& filter, const std::map<std::string, std::string>& labels) {
  const auto [key, value] = cut(filter, '=');
  const auto found = labels.find(std::string(key));
  return found != labels.end() && (!value || found->second == *value);
}

}  // namespace

Result<Filters> Filters::parse(std::string_view text) {
  Filters filters;
  if (trim(text).empty()) return filters;
  auto parsed = json::parse(text);
  if (!parsed.ok()) return bad_filter();
  const json::Object* object = parsed->if_object();
  if (!object) return bad_filter();
  for (const auto& [name, value] : *object) {
    const std::string key(name.data(), name.size());
    if (const json::Array* list = value.if_array()) {
      for (const json::Value& element : *list) {
        if (!element.is_string()) return bad_filter();
        filters.add(key, std::string(std::string_view(element.get_string())));
      }
    } else if (const json::Object* map = value.if_object()) {
      for (const auto& [element, on] : *map) {
        if (!on.is_bool()) return bad_filter();
        if (on.get_bool()) filters.add(key, std::string(element.data(), element.size()));
      }
    } else {
      return bad_filter();
    }
  }
  return filters;
}

Result<void> Filters::check(std::initializer_list<std::string_view> known) const {
  for (const auto& [name, values] : values_) {
    if (std::find(known.begin(), known.end(), name) == known.end())
      return fail(Kind::InvalidArgument, "invalid filter '{}'", name);
  }
  return {};
}

const std::vector<std::string>& Filters::values(std::string_view name) const {
  static const std::vector<std::string> kNone;
  const auto found = values_.find(name);
  return found == values_.end() ? kNone : found->second;
}

bool Filters::exact(std::string_view name, std::string_view value) const {
  if (!has(name)) return true;
  const auto& wanted = values(name);
  return std::find(wanted.begin(), wanted.end(), value) != wanted.end();
}

bool Filters::prefix(std::string_view name, std::string_view value) const {
  if (!has(name)) return true;
  const auto& wanted = values(name);
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](const std::string& w) { return value.starts_with(w); });
}

bool Filters::pattern(std::string_view name, std::string_view value) const {
  if (!has(name)) return true;
  const auto& wanted = values(name);
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& w) {
    return value.find(w) != std::string_view::npos || regex_matches(w, value);
  });
}

bool Filters::labels(const std::map<std::string, std::string>& labels) const {
  const auto met = [&](const std::string& filter) { return label_matches(filter, labels); };
  const auto& wanted = values("label");
  const auto& unwanted = values("label!");
  return std::all_of(wanted.begin(), wanted.end(), met) &&
         std::none_of(unwanted.begin(), unwanted.end(), met);
}

Result<bool> Filters::boolean(std::string_view name, bool otherwise) const {
  if (!has(name)) return otherwise;
  const auto& all = values(name);
  const auto is = [&](std::initializer_list<std::string_view> words) {
    return all.size() == 1 && std::find(words.begin(), words.end(), all[0]) != words.end();
  };
  if (is({"1", "true", "True", "TRUE", "t", "T"})) return true;
  if (is({"0", "false", "False", "FALSE", "f", "F"})) return false;
  return fail(Kind::InvalidArgument, "invalid filter '{}=[{}]'", name, join(all, " "));
}

}  // namespace skiff::engine
