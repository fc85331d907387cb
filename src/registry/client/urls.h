#pragma once

#include <string>
#include <string_view>

namespace skiff::registry {

/// The reference `location` as seen from the document at `base` (RFC 3986, 5.2): absolute, or with another
/// scheme's path, or relative.
std::string join_url(std::string_view base, std::string_view location);
/// True when both have the same scheme, host and port.
bool same_origin(std::string_view a, std::string_view b);
/// `url` with another query parameter, already encoded.
std::string with_query(std::string url, std::string_view parameter);

}  // namespace skiff::registry
