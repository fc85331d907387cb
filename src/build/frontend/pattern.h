#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::build {

/// A file name pattern, matched against a whole path in time O(pattern * path) whatever the pattern.
class Pattern {
 public:
  enum class Style : std::uint8_t {
    File,    ///< Go's filepath.Match: * ? [a-z] [^a-z] \x; none of them matches '/'
    Ignore,  ///< as File, and ** for any number of directories (.dockerignore)
    Shell,   ///< * ? \x, which match '/' too (${x#pattern})
  };

  /// InvalidArgument: "syntax error in pattern".
  static Result<Pattern> compile(std::string_view text, Style style);

  bool matches(std::string_view path) const { return match(path, false); }
  /// Whether the path or a directory above it matches, in the time of one match.
  bool matches_above(std::string_view path) const { return match(path, true); }

 private:
  struct Range {
    unsigned char low, high;
  };
  struct Token {
    enum class Type : std::uint8_t { Byte, Any, Star, Deep, Directories, Class };
    Type type = Type::Byte;
    unsigned char byte = 0;
    bool negated = false;
    std::vector<Range> ranges;

    bool takes(unsigned char c, bool slash) const;
  };

  Result<std::size_t> parse_class(std::string_view text, std::size_t at, Style style);
  bool match(std::string_view path, bool above) const;

  std::vector<Token> tokens_;
  bool slash_ = false;  ///< * and ? match '/'
};

/// Whether `text` is more than a plain name: has * ? or [ outside of a backslash's reach.
bool has_wildcards(std::string_view text);

}  // namespace skiff::build
