#pragma once

#include <map>
#include <string>
#include <string_view>

namespace skiff::monitor {

/// Appends `bytes` as a JSON string, quotes included, with the escapes that Go's encoder chooses: what is not
/// UTF-8 becomes U+FFFD, and <, >, & and the line separators U+2028 and U+2029 are escaped.
void append_json_string(std::string& out, std::string_view bytes);
/// As append_json_string, without the quotes.
void append_json_escaped(std::string& out, std::string_view bytes);
/// Appends an object of texts, its names in order.
void append_json_object(std::string& out, const std::map<std::string, std::string>& members);

}  // namespace skiff::monitor
