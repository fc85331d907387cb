#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "build/frontend/pattern.h"

namespace skiff::build {

/// The rules of a .dockerignore file: one pattern a line, later ones win, `!` takes back, `#` comments.
/// https://docs.docker.com/build/concepts/context/#dockerignore-files
class IgnoreRules {
 public:
  /// InvalidArgument names the line and the pattern.
  static Result<IgnoreRules> parse(std::string_view text);

  bool empty() const { return rules_.empty(); }
  /// Whether some rule takes files back, so that an excluded directory may hold included files.
  bool has_exceptions() const { return exceptions_; }
  /// Whether `path` (relative, clean) is excluded, itself or because a directory above it is.
  bool excludes(std::string_view path) const;

 private:
  struct Rule {
    Pattern pattern;
    bool exception = false;
  };
  std::vector<Rule> rules_;
  bool exceptions_ = false;
};

}  // namespace skiff::build
