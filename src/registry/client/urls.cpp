#include "registry/client/urls.h"

#include <fmt/format.h>

#include "base/strings.h"

namespace skiff::registry {
namespace {

/// "https://host:port", lower case, with the port that is meant.
std::string origin_of(std::string_view url) {
  const auto scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return "";
  const std::string scheme = to_lower(url.substr(0, scheme_end));
  std::string_view server = url.substr(scheme_end + 3);
  server = server.substr(0, server.find_first_of("/?#"));
  const auto colon = server.rfind(':');
  const bool has_port = colon != std::string_view::npos && server.find(']', colon) == std::string_view::npos;
  return scheme + "://" + to_lower(server) + (has_port ? "" : scheme == "https" ? ":443" : ":80");
}

/// The part of a URL up to its path.
std::string_view root_of(std::string_view url) {
  const auto scheme_end = url.find("://");
  const auto begin = scheme_end == std::string_view::npos ? 0 : scheme_end + 3;
  return url.substr(0, url.find_first_of("/?#", begin));
}

}  // namespace

std::string join_url(std::string_view base, std::string_view location) {
  if (location.find("://") != std::string_view::npos &&
      location.find("://") < location.find_first_of("/?#") + 1)
    return std::string(location);
  if (location.starts_with("//"))
    return std::string(base.substr(0, base.find(':') + 1)) + std::string(location);
  const std::string_view root = root_of(base);
  if (location.starts_with('/')) return std::string(root) + std::string(location);
  const std::string_view path = base.substr(0, base.find_first_of("?#"));
  if (location.starts_with('?')) return std::string(path) + std::string(location);
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos || slash < root.size()) return fmt::format("{}/{}", root, location);
  return std::string(path.substr(0, slash + 1)) + std::string(location);
}

bool same_origin(std::string_view a, std::string_view b) {
  const std::string origin = origin_of(a);
  return !origin.empty() && origin == origin_of(b);
}

std::string with_query(std::string url, std::string_view parameter) {
  const char separator = url.find('?') == std::string::npos ? '?' : '&';
  url += separator;
  url += parameter;
  return url;
}

}  // namespace skiff::registry
