#include "build/frontend/ignore.h"

#include "base/strings.h"
#include "sys/path.h"

namespace skiff::build {

Result<IgnoreRules> IgnoreRules::parse(std::string_view text) {
  IgnoreRules rules;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  int number = 0;
  for (const std::string& line : split(text, '\n')) {
    ++number;
    if (line.starts_with('#')) continue;
    std::string_view pattern = trim(line);
    if (pattern.empty()) continue;
    const bool exception = pattern.starts_with('!');
    if (exception) pattern = trim(pattern.substr(1));
    if (pattern.empty())
      return fail(Kind::InvalidArgument, ".dockerignore line {}: illegal exclusion pattern: \"!\"", number);
    std::string clean = sys::clean_path(pattern);
    if (clean.size() > 1 && clean[0] == '/') clean.erase(0, 1);
    rules.rules_.push_back({TRY_CONTEXT(Pattern::compile(clean, Pattern::Style::Ignore),
                                        ".dockerignore line {}: {}", number, quote(pattern)),
                            exception});
    rules.exceptions_ |= exception;
  }
  return rules;
}

bool IgnoreRules::excludes(std::string_view path) const {
  bool excluded = false;
  for (const Rule& rule : rules_)
    if (excluded == rule.exception && rule.pattern.matches_above(path)) excluded = !rule.exception;
  return excluded;
}

}  // namespace skiff::build
