#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace skiff::http {

/// The header lines of a message, in order; names compare without regard to case.
class Fields {
 public:
  /// The first value of `name`, or "".
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  /// True when the comma-separated list in `name` has `token` (Connection: keep-alive, Upgrade).
  bool has_token(std::string_view name, std::string_view token) const;
  void add(std::string name, std::string value) { lines_.emplace_back(std::move(name), std::move(value)); }
  /// Replaces every line of that name by one.
  void set(std::string_view name, std::string value);

  const std::vector<std::pair<std::string, std::string>>& lines() const { return lines_; }
  /// "Name: value\r\n" of every line. Line breaks inside values are dropped: they would start a new line.
  std::string to_text() const;

 private:
  std::vector<std::pair<std::string, std::string>> lines_;
};

/// Undoes %XX and, in queries, '+'. Malformed escapes stay as they are.
std::string percent_decode(std::string_view text, bool plus_is_space);
/// Escapes everything but unreserved characters (RFC 3986, 2.3).
std::string percent_encode(std::string_view text);

/// The standard words for a status, "Not Found".
std::string_view reason_phrase(int status);

}  // namespace skiff::http
