#include "build/frontend/pattern.h"

#include <algorithm>

namespace skiff::build {
namespace {

Error syntax_error() { return Error(Kind::InvalidArgument, "syntax error in pattern"); }

}  // namespace

bool Pattern::Token::takes(unsigned char c, bool slash) const {
  switch (type) {
    case Type::Byte:
      return c == byte;
    case Type::Any:
      return slash || c != '/';
    case Type::Class: {
      if (c == '/') return false;
      const bool in = std::any_of(ranges.begin(), ranges.end(),
                                  [c](const Range& range) { return range.low <= c && c <= range.high; });
      return in != negated;
    }
    default:
      return false;
  }
}

Result<std::size_t> Pattern::parse_class(std::string_view text, std::size_t at, Style style) {
  Token token;
  token.type = Token::Type::Class;
  if (at < text.size() && text[at] == '^') {
    token.negated = true;
    ++at;
  }
  const auto next = [&]() -> Result<unsigned char> {
    if (at < text.size() && text[at] == '\\') ++at;
    if (at >= text.size()) return syntax_error();
    return static_cast<unsigned char>(text[at++]);
  };
  while (true) {
    if (at >= text.size()) return syntax_error();
    if (text[at] == ']' && !token.ranges.empty()) break;
    if (text[at] == '-' || text[at] == ']') return syntax_error();
    const unsigned char low = TRY(next());
    unsigned char high = low;
    if (at < text.size() && text[at] == '-') {
      ++at;
      if (at < text.size() && (text[at] == '-' || text[at] == ']')) return syntax_error();
      high = TRY(next());
      // Docker makes a regular expression of it there, which refuses this; Match takes it for an empty range.
      if (style == Style::Ignore && high < low) return syntax_error();
    }
    token.ranges.push_back({low, high});
  }
  tokens_.push_back(std::move(token));
  return at + 1;
}

Result<Pattern> Pattern::compile(std::string_view text, Style style) {
  Pattern pattern;
  pattern.slash_ = style == Style::Shell;
  const auto add = [&pattern](Token::Type type, char byte = 0) {
    Token token;
    token.type = type;
    token.byte = static_cast<unsigned char>(byte);
    pattern.tokens_.push_back(std::move(token));
  };
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at++];
    if (c == '*' && style == Style::Ignore && at < text.size() && text[at] == '*') {
      ++at;
      if (at < text.size() && text[at] == '/') ++at;  // "**/" is "**"
      add(at == text.size() ? Token::Type::Deep : Token::Type::Directories);
    } else if (c == '*') {
      add(pattern.slash_ ? Token::Type::Deep : Token::Type::Star);
    } else if (c == '?') {
      add(Token::Type::Any);
    } else if (c == '[' && style != Style::Shell) {
      at = TRY(pattern.parse_class(text, at, style));
    } else if (c == '\\') {
      if (at == text.size()) return syntax_error();
      add(Token::Type::Byte, text[at++]);
    } else {
      add(Token::Type::Byte, c);
    }
  }
  return pattern;
}

bool Pattern::match(std::string_view path, bool above) const {
  const std::size_t n = tokens_.size();
  // live[i]: the path so far can be matched by the first i tokens. `inside[i]`: token i-1 is a Directories
  // that has eaten part of a name and must go on to a '/'.
  std::vector<char> live(n + 1), inside(n + 1), next(n + 1), next_inside(n + 1);
  const auto skip = [this, n](std::vector<char>& states) {
    for (std::size_t i = 0; i < n; ++i)
      if (states[i] && tokens_[i].type >= Token::Type::Star && tokens_[i].type <= Token::Type::Directories)
        states[i + 1] = 1;
  };
  live[0] = 1;
  skip(live);
  for (const char raw : path) {
    const auto c = static_cast<unsigned char>(raw);
    if (above && c == '/' && live[n]) return true;  // what lies before a '/' is a directory above
    std::fill(next.begin(), next.end(), 0);
    std::fill(next_inside.begin(), next_inside.end(), 0);
    for (std::size_t i = 0; i < n; ++i) {
      if (!live[i] && !inside[i]) continue;
      const Token& token = tokens_[i];
      if (token.type == Token::Type::Directories) {
        // (.*/)? : stays inside with any byte; a '/' may also end it.
        next_inside[i] = 1;
        if (c == '/') next[i + 1] = 1;
      } else if (live[i]) {
        if (token.type == Token::Type::Deep || (token.type == Token::Type::Star && c != '/'))
          next[i] = 1;
        else if (token.takes(c, slash_))
          next[i + 1] = 1;
      }
    }
    skip(next);
    live.swap(next);
    inside.swap(next_inside);
  }
  return live[n];
}

bool has_wildcards(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '*' || text[i] == '?' || text[i] == '[')
      return true;
  }
  return false;
}

}  // namespace skiff::build
