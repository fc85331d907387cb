#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace skiff::build {

struct NamedValue {
  std::string name;
  std::string value;
  friend bool operator==(const NamedValue&, const NamedValue&) = default;
};

/// Words between blanks.
std::vector<std::string> split_blanks(std::string_view text);

/// Words between blanks outside quotes; quotes and escapes stay in them, for expand() to resolve.
std::vector<std::string> split_words(std::string_view text, char escape);

/// `["a", "b"]` as a list. Nothing when the text is no JSON array: then it is meant for the shell.
/// InvalidArgument for an array with anything but strings in it.
Result<std::optional<std::vector<std::string>>> parse_json_form(std::string_view text);

/// Takes the leading `--name=value` words off `text`. Quotes and escapes in them are resolved.
std::vector<std::string> take_flags(std::string& text);

/// ENV's and LABEL's `name=value ...` or old `name the rest`. Values are raw.
Result<std::vector<NamedValue>> parse_pairs(std::string_view text, std::string_view instruction, char escape);

/// The known word nearest to `word` (at most two edits apart), or "".
std::string nearest(std::string_view word, const std::vector<std::string>& known);

}  // namespace skiff::build
