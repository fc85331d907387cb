#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace skiff {

/// The parts of `text` between `separator`s; an empty text has one empty part.
std::vector<std::string> split(std::string_view text, char separator);

/// The two sides of the first `separator`; the second is absent when there is none.
std::pair<std::string_view, std::optional<std::string_view>> cut(std::string_view text, char separator);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

/// Without white space (space, tab, CR, LF, VT, FF) at both ends.
std::string_view trim(std::string_view text);

std::string to_lower(std::string_view text);  ///< ASCII only
std::string to_upper(std::string_view text);  ///< ASCII only
bool equals_ignore_case(std::string_view a, std::string_view b);

/// The whole of `text` as a decimal number; nothing for an empty text, other characters or overflow.
std::optional<std::int64_t> parse_int(std::string_view text);
std::optional<std::uint64_t> parse_uint(std::string_view text);
std::optional<double> parse_double(std::string_view text);

/// Go's %q: in double quotes, with quotes, backslashes and control characters escaped.
std::string quote(std::string_view text);

/// Lower-case hexadecimal digits of the bytes.
std::string to_hex(std::string_view bytes);

/// A size in bytes with Docker's binary units: "64m", "1g", "512", "1.5GiB" (github.com/docker/go-units
/// RAMInBytes). Nothing when malformed.
std::optional<std::int64_t> parse_ram_size(std::string_view text);

/// Docker's decimal size in at most four digits: "1.23MB", "72.8kB", "0B" (go-units HumanSize).
std::string human_size(double bytes);
/// As human_size with `digits` significant digits (docker uses 3 for image sizes, 4 in "system df").
std::string human_size(double bytes, int digits);
/// Binary units: "1.5GiB" (go-units BytesSize).
std::string bytes_size(double bytes);

}  // namespace skiff
