#include "api/query.h"

#include <algorithm>

#include "base/strings.h"
#include "http/fields.h"

namespace skiff::api {

Query Query::parse(std::string_view text) {
  Query query;
  if (text.empty()) return query;
  for (const auto& part : split(text, '&')) {
    if (part.empty()) continue;
    const auto [name, value] = cut(part, '=');
    query.parameters_.emplace_back(http::percent_decode(name, true),
                                   http::percent_decode(value.value_or(std::string_view()), true));
  }
  return query;
}

bool Query::has(std::string_view name) const {
  return std::any_of(parameters_.begin(), parameters_.end(), [&](const auto& p) { return p.first == name; });
}

const std::string& Query::get(std::string_view name) const {
  static const std::string empty;
  for (const auto& [key, value] : parameters_)
    if (key == name) return value;
  return empty;
}

std::vector<std::string> Query::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : parameters_)
    if (key == name) values.push_back(value);
  return values;
}

bool Query::boolean(std::string_view name, bool otherwise) const {
  if (!has(name)) return otherwise;
  const std::string value = to_lower(trim(get(name)));
  return !(value.empty() || value == "0" || value == "no" || value == "false" || value == "none");
}

Result<std::optional<std::int64_t>> Query::integer(std::string_view name) const {
  const auto& value = get(name);
  if (value.empty()) return std::optional<std::int64_t>();
  const auto number = parse_int(value);
  if (!number) return fail(Kind::InvalidArgument, "strconv.Atoi: parsing {}: invalid syntax", quote(value));
  return number;
}

Result<std::optional<Time>> Query::time(std::string_view name) const {
  const auto& value = get(name);
  if (value.empty() || value == "0") return std::optional<Time>();
  const auto moment = parse_timestamp(value, now());
  if (!moment) return fail(Kind::InvalidArgument, "invalid value for {}: {}", quote(name), quote(value));
  return moment;
}

}  // namespace skiff::api
