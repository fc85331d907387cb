#include "registry/server/route.h"

#include "base/strings.h"
#include "http/fields.h"

namespace skiff::registry::server {
namespace {

constexpr std::size_t kMostName = 255;

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*
bool is_component(std::string_view text) {
  std::size_t i = 0;
  while (true) {
    const std::size_t word = i;
    while (i < text.size() && is_lower_alnum(text[i])) ++i;
    if (i == word) return false;
    if (i == text.size()) return true;
    const char separator = text[i];
    std::size_t length = 0;
    for (; i < text.size() && text[i] == separator; ++i) ++length;
    const bool fits =
        separator == '-' || (separator == '.' && length == 1) || (separator == '_' && length <= 2);
    if (!fits) return false;
  }
}

/// Takes the part behind the last '/' off `path`; nothing when there is no '/'.
std::optional<std::string_view> take_last(std::string_view& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto last = path.substr(slash + 1);
  path = path.substr(0, slash);
  return last;
}

Route make(Route::Kind kind, std::string_view name, std::string_view reference) {
  return {kind, std::string(name), http::percent_decode(reference, false)};
}

/// `path` is what stands behind "/v2/".
Route parse_named(std::string_view path) {
  std::string_view rest = path;
  const auto last = take_last(rest);
  const auto second = last ? take_last(rest) : std::nullopt;
  if (!second) return {};
  if (*second == "manifests") return make(Route::Kind::Manifest, rest, *last);
  if (*second == "referrers") return make(Route::Kind::Referrers, rest, *last);
  if (*second == "tags" && *last == "list") return make(Route::Kind::Tags, rest, {});
  if (*second == "blobs" && *last != "uploads") return make(Route::Kind::Blob, rest, *last);
  if (*second == "blobs") return make(Route::Kind::Uploads, rest, {});
  if (*second != "uploads") return {};
  const auto third = take_last(rest);
  if (third != "blobs") return {};
  return last->empty() ? make(Route::Kind::Uploads, rest, {}) : make(Route::Kind::Upload, rest, *last);
}

}  // namespace

Route Route::parse(std::string_view path) {
  if (path == "/v2" || path == "/v2/") return {Kind::Base, {}, {}};
  if (path == "/v2/_catalog") return {Kind::Catalog, {}, {}};
  if (!path.starts_with("/v2/")) return {};
  Route route = parse_named(path.substr(4));
  route.repository = http::percent_decode(route.repository, false);
  return route;
}

bool is_repository_name(std::string_view text) {
  if (text.size() > kMostName) return false;
  for (const auto& component : split(text, '/'))
    if (!is_component(component)) return false;
  return true;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
  for (const auto& part : split(query, '&')) {
    const auto [key, value] = cut(part, '=');
    if (http::percent_decode(key, true) == name) return http::percent_decode(value.value_or(""), true);
  }
  return std::nullopt;
}

}  // namespace skiff::registry::server
