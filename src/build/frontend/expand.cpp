#include "build/frontend/expand.h"

#include "base/strings.h"
#include "build/frontend/pattern.h"
#include "build/frontend/words.h"

namespace skiff::build {
namespace {

constexpr int kDepth = 64;

bool is_name_start(char c) { return c == '_' || isalpha(static_cast<unsigned char>(c)); }
bool is_digit(char c) { return isdigit(static_cast<unsigned char>(c)); }

/// ${value#pattern} and its relatives; `longest` for the doubled sign.
Result<std::string> strip_affix(const std::string& value, const std::string& pattern, bool suffix,
                                bool longest) {
  const Pattern compiled = TRY(Pattern::compile(pattern, Pattern::Style::Shell));
  for (std::size_t i = 0; i <= value.size(); ++i) {
    const std::size_t length = longest ? value.size() - i : i;
    const std::string_view part = suffix ? std::string_view(value).substr(value.size() - length)
                                         : std::string_view(value).substr(0, length);
    if (compiled.matches(part)) return suffix ? value.substr(0, value.size() - length) : value.substr(length);
  }
  return value;
}

/// ${value/pattern/replacement}: the longest match at the earliest place, once or everywhere.
Result<std::string> substitute(const std::string& value, const std::string& pattern,
                               const std::string& replacement, bool all) {
  const Pattern compiled = TRY(Pattern::compile(pattern, Pattern::Style::Shell));
  std::string out;
  std::size_t at = 0;
  while (at < value.size()) {
    std::size_t length = value.size() - at;
    while (length > 0 && !compiled.matches(std::string_view(value).substr(at, length))) --length;
    if (length == 0) {
      out += value[at++];
      continue;
    }
    out += replacement;
    at += length;
    if (!all) break;
  }
  return out + value.substr(at);
}

class Expander {
 public:
  Expander(std::string_view text, char escape, const Lookup& lookup, bool quotes)
      : text_(text), escape_(escape), lookup_(lookup), quotes_(quotes) {}

  Result<std::string> run() { return until(0, 0); }

 private:
  bool done() const { return at_ >= text_.size(); }

  /// Everything up to `stop` (0: the end), which is consumed.
  Result<std::string> until(char stop, int depth) {
    if (depth > kDepth) return fail(Kind::InvalidArgument, "substitutions are nested too deep");
    std::string out;
    while (!done()) {
      const char c = text_[at_];
      if (stop && c == stop) {
        ++at_;
        return out;
      }
      if (quotes_ && c == '\'') {
        out += TRY(single_quoted());
      } else if (quotes_ && c == '"') {
        out += TRY(double_quoted(depth));
      } else if (c == '$') {
        out += TRY(dollar(depth));
      } else if (c == escape_) {
        ++at_;
        if (done()) break;
        if (!quotes_ && text_[at_] != '$' && text_[at_] != escape_) out += escape_;
        out += text_[at_++];
      } else {
        out += c;
        ++at_;
      }
    }
    if (stop) return fail(Kind::InvalidArgument, "syntax error: missing '{}'", stop);
    return out;
  }

  Result<std::string> single_quoted() {
    const auto end = text_.find('\'', at_ + 1);
    if (end == std::string_view::npos)
      return fail(Kind::InvalidArgument,
                  "unexpected end of statement while looking for matching single-quote");
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }

  Result<std::string> double_quoted(int depth) {
    ++at_;
    std::string out;
    while (!done()) {
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return out;
      }
      if (c == '$') {
        out += TRY(dollar(depth));
        continue;
      }
      ++at_;
      if (c == escape_ && !done()) {
        const char next = text_[at_++];
        if (next != '"' && next != '$' && next != escape_) out += c;
        out += next;
      } else if (c != escape_) {
        out += c;
      }
    }
    return fail(Kind::InvalidArgument, "unexpected end of statement while looking for matching double-quote");
  }

  std::string name() {
    const std::size_t start = at_;
    if (done()) return {};
    const char first = text_[at_];
    if (is_digit(first)) {
      while (!done() && is_digit(text_[at_])) ++at_;
    } else if (first == '@' || first == '*' || first == '#') {
      ++at_;
    } else if (is_name_start(first)) {
      while (!done() && (is_name_start(text_[at_]) || is_digit(text_[at_]))) ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }

  Result<std::string> dollar(int depth) {
    ++at_;
    if (done()) return std::string("$");
    if (text_[at_] != '{') {
      const std::string variable = name();
      if (variable.empty()) return std::string("$");
      return lookup_(variable).value_or("");
    }
    ++at_;
    const std::string variable = name();
    if (done()) return fail(Kind::InvalidArgument, "syntax error: missing '}}'");
    if (variable.empty()) return fail(Kind::InvalidArgument, "bad substitution");
    const char sign = text_[at_++];
    const std::optional<std::string> value = lookup_(variable);
    if (sign == '}') return value.value_or("");
    return modified(variable, value, sign, depth);
  }

  Result<std::string> modified(const std::string& variable, const std::optional<std::string>& value,
                               char sign, int depth) {
    bool set = value.has_value();
    std::string shown(1, sign);
    if (sign == ':') {
      set = set && !value->empty();
      if (done()) return fail(Kind::InvalidArgument, "syntax error: missing '}}'");
      sign = text_[at_++];
      shown += sign;
      if (sign != '-' && sign != '+' && sign != '?')
        return fail(Kind::InvalidArgument, "unsupported modifier ({}) in substitution", shown);
    }
    switch (sign) {
      case '-': {
        std::string other = TRY(until('}', depth + 1));
        return set ? *value : other;
      }
      case '+': {
        std::string other = TRY(until('}', depth + 1));
        return set ? other : std::string();
      }
      case '?': {
        const std::string message = TRY(until('}', depth + 1));
        if (set) return *value;
        return fail(Kind::InvalidArgument, "{}: {}", variable,
                    message.empty() ? "is not allowed to be unset" : message);
      }
      case '#':
      case '%': {
        const bool longest = !done() && text_[at_] == sign;
        if (longest) ++at_;
        const std::string pattern = TRY(until('}', depth + 1));
        return strip_affix(value.value_or(""), pattern, sign == '%', longest);
      }
      case '/': {
        const bool all = !done() && text_[at_] == '/';
        if (all) ++at_;
        const std::string pattern = TRY(until('/', depth + 1));
        const std::string replacement = TRY(until('}', depth + 1));
        return substitute(value.value_or(""), pattern, replacement, all);
      }
      default:
        return fail(Kind::InvalidArgument, "unsupported modifier ({}) in substitution", shown);
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  char escape_;
  const Lookup& lookup_;
  bool quotes_;
};

}  // namespace

Result<std::string> expand(std::string_view word, char escape, const Lookup& lookup) {
  return TRY_CONTEXT(Expander(word, escape, lookup, true).run(), "failed to process {}", quote(word));
}

Result<std::vector<std::string>> expand_words(std::string_view word, char escape, const Lookup& lookup) {
  return split_blanks(TRY(expand(word, escape, lookup)));
}

Result<std::string> expand_text(std::string_view text, char escape, const Lookup& lookup) {
  return Expander(text, escape, lookup, false).run();
}

}  // namespace skiff::build
