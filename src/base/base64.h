#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace skiff {

/// RFC 4648, with padding.
std::string encode_base64(std::string_view bytes);
/// As encode_base64() with the alphabet for URLs ("-" and "_").
std::string encode_base64_url(std::string_view bytes);
/// Reads both alphabets, with or without padding; line breaks are passed over. Nothing for anything else.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace skiff
