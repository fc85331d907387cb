#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::build {

/// The value of a variable; nothing when it is not set.
using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

/// Resolves quotes, escapes and variables of one word as the Dockerfile reference says: $x, ${x}, ${x:-d},
/// ${x-d},
/// ${x:+d}, ${x+d}, ${x:?e}, ${x?e}, ${x#p}, ${x##p}, ${x%p}, ${x%%p}, ${x/p/r}, ${x//p/r}. An unset variable
/// is empty. InvalidArgument: `failed to process "<word>": ...`.
Result<std::string> expand(std::string_view word, char escape, const Lookup& lookup);

/// As expand(), then cut into words at blanks (EXPOSE).
Result<std::vector<std::string>> expand_words(std::string_view word, char escape, const Lookup& lookup);

/// Only variables, as in the body of an unquoted heredoc: quotes mean nothing there.
Result<std::string> expand_text(std::string_view text, char escape, const Lookup& lookup);

}  // namespace skiff::build
