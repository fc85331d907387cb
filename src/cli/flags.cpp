#include "cli/flags.h"

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"

namespace skiff::cli {

Flag& FlagSet::add(Flag flag) { return *flags_.emplace_back(std::make_unique<Flag>(std::move(flag))); }

Flag& FlagSet::custom(std::string_view type, std::string_view name, char shorthand, std::string_view usage,
                      std::function<Result<void>(std::string_view)> set) {
  Flag flag;
  flag.name = name;
  flag.shorthand = shorthand;
  flag.usage = usage;
  flag.type = type;
  flag.set = std::move(set);
  return add(std::move(flag));
}

Flag& FlagSet::boolean(bool& target, std::string_view name, char shorthand, std::string_view usage) {
  Flag& flag = custom("", name, shorthand, usage, [&target](std::string_view text) -> Result<void> {
    target = TRY(parse_go_bool(text));
    return {};
  });
  flag.boolean = true;
  if (target) flag.default_text = "true";
  return flag;
}

Flag& FlagSet::string(std::string& target, std::string_view name, char shorthand, std::string_view usage,
                      std::string_view type) {
  Flag& flag = custom(type, name, shorthand, usage, [&target](std::string_view text) -> Result<void> {
    target = text;
    return {};
  });
  if (!target.empty()) flag.default_text = quote(target);
  return flag;
}

Flag& FlagSet::integer(std::int64_t& target, std::string_view name, char shorthand, std::string_view usage) {
  Flag& flag = custom("int", name, shorthand, usage, [&target](std::string_view text) -> Result<void> {
    target = TRY(parse_go_int(text));
    return {};
  });
  if (target != 0) flag.default_text = std::to_string(target);
  return flag;
}

Flag& FlagSet::list(std::vector<std::string>& target, std::string_view name, char shorthand,
                    std::string_view usage, Validator validate) {
  return custom("list", name, shorthand, usage,
                [&target, validate = std::move(validate)](std::string_view text) -> Result<void> {
                  target.push_back(validate ? TRY(validate(text)) : std::string(text));
                  return {};
                });
}

Flag& FlagSet::strings(std::vector<std::string>& target, std::string_view name, char shorthand,
                       std::string_view usage) {
  return custom("strings", name, shorthand, usage, [&target](std::string_view text) -> Result<void> {
    for (auto& part : TRY(parse_csv_line(text))) target.push_back(std::move(part));
    return {};
  });
}

Flag& FlagSet::map(std::map<std::string, std::string>& target, std::string_view name, char shorthand,
                   std::string_view usage, Validator validate) {
  Flag& flag = custom("map", name, shorthand, usage,
                      [&target, validate = std::move(validate)](std::string_view text) -> Result<void> {
                        const std::string checked = validate ? TRY(validate(text)) : std::string(text);
                        const auto [key, value] = cut(checked, '=');
                        target[std::string(key)] = value.value_or("");
                        return {};
                      });
  return flag.show_default("map[]");
}

Flag& FlagSet::bytes(std::int64_t& target, std::string_view name, char shorthand, std::string_view usage,
                     bool allow_negative) {
  return custom("bytes", name, shorthand, usage,
                [&target, allow_negative](std::string_view text) -> Result<void> {
                  if (allow_negative && text == "-1") {
                    target = -1;
                    return {};
                  }
                  const auto size = parse_ram_size(text);
                  if (!size) return fail(Kind::InvalidArgument, "invalid size: '{}'", text);
                  target = *size;
                  return {};
                });
}

Flag& FlagSet::duration(std::int64_t& nanoseconds, std::string_view name, std::string_view usage) {
  Flag& flag = custom("duration", name, 0, usage, [&nanoseconds](std::string_view text) -> Result<void> {
    const auto value = parse_duration(text);
    if (!value) return fail(Kind::InvalidArgument, "time: invalid duration {}", quote(text));
    nanoseconds = value->count();
    return {};
  });
  return flag.show_default("0s");
}

Flag* FlagSet::find(std::string_view name) {
  for (const auto& flag : flags_)
    if (flag->name == name) return flag.get();
  return nullptr;
}

Flag* FlagSet::find_shorthand(char shorthand) {
  for (const auto& flag : flags_)
    if (flag->shorthand == shorthand) return flag.get();
  return nullptr;
}

bool FlagSet::changed(std::string_view name) {
  const Flag* flag = find(name);
  return flag && flag->changed;
}

bool FlagSet::has_visible() const {
  return std::any_of(flags_.begin(), flags_.end(), [](const auto& flag) { return !flag->hidden; });
}

Result<FlagSet::Parsed> FlagSet::parse(const std::vector<std::string>& arguments) {
  input_ = &arguments;
  Parsed parsed;
  if (passes_everything_) {
    parsed.arguments = arguments;
    return parsed;
  }
  std::size_t next = 0;
  while (next < arguments.size()) {
    const std::string_view argument = arguments[next++];
    if (argument.size() < 2 || argument[0] != '-') {
      parsed.arguments.emplace_back(argument);
      if (interspersed_) continue;
      parsed.arguments.insert(parsed.arguments.end(), arguments.begin() + static_cast<std::ptrdiff_t>(next),
                              arguments.end());
      return parsed;
    }
    if (argument == "--") {
      parsed.arguments.insert(parsed.arguments.end(), arguments.begin() + static_cast<std::ptrdiff_t>(next),
                              arguments.end());
      return parsed;
    }
    if (argument[1] == '-')
      TRY(parse_long(argument, next, parsed));
    else
      TRY(parse_short(argument, next, parsed));
    if (parsed.help) return parsed;
  }
  return parsed;
}

Result<void> FlagSet::parse_long(std::string_view argument, std::size_t& next, Parsed& parsed) {
  const auto [name, value] = cut(argument.substr(2), '=');
  if (name.empty() || name[0] == '-') return fail(Kind::InvalidArgument, "bad flag syntax: {}", argument);
  Flag* flag = find(name);
  if (!flag) {
    if (name == "help") {
      parsed.help = true;
      return {};
    }
    return fail(Kind::InvalidArgument, "unknown flag: --{}", name);
  }
  if (value) return assign(*flag, *value, parsed);
  if (flag->boolean) return assign(*flag, "true", parsed);
  if (next >= input_->size()) return fail(Kind::InvalidArgument, "flag needs an argument: {}", argument);
  return assign(*flag, (*input_)[next++], parsed);
}

Result<void> FlagSet::parse_short(std::string_view argument, std::size_t& next, Parsed& parsed) {
  std::string_view rest = argument.substr(1);
  while (!rest.empty()) {
    Flag* flag = find_shorthand(rest[0]);
    if (!flag) {
      if (rest[0] == 'h') {
        parsed.warnings.emplace_back("Flag shorthand -h has been deprecated, use --help");
        parsed.help = true;
        return {};
      }
      return fail(Kind::InvalidArgument, "unknown shorthand flag: '{}' in -{}", rest[0], rest);
    }
    if (rest.size() > 2 && rest[1] == '=') return assign(*flag, rest.substr(2), parsed);
    if (flag->boolean) {
      TRY(assign(*flag, "true", parsed));
      rest.remove_prefix(1);
      continue;
    }
    if (rest.size() > 1) return assign(*flag, rest.substr(1), parsed);
    if (next >= input_->size())
      return fail(Kind::InvalidArgument, "flag needs an argument: '{}' in -{}", rest[0], rest);
    return assign(*flag, (*input_)[next++], parsed);
  }
  return {};
}

Result<void> FlagSet::assign(Flag& flag, std::string_view value, Parsed& parsed) {
  if (flag.name == "help") {
    parsed.help = value == "true";
    return {};
  }
  if (auto set = flag.set(value); !set.ok()) {
    const std::string spelled = flag.shorthand && flag.deprecated.empty()
                                    ? fmt::format("-{}, --{}", flag.shorthand, flag.name)
                                    : "--" + flag.name;
    return fail(Kind::InvalidArgument, "invalid argument {} for \"{}\" flag: {}", quote(value), spelled,
                set.error().message());
  }
  flag.changed = true;
  if (!flag.deprecated.empty())
    parsed.warnings.push_back(fmt::format("Flag --{} has been deprecated, {}", flag.name, flag.deprecated));
  return {};
}

namespace {

/// The first line of `text`, at most `width` characters (or `slop` more when that ends it), and the rest.
std::pair<std::string, std::string> break_line(std::size_t width, std::size_t slop, const std::string& text) {
  if (width + slop > text.size()) return {text, ""};
  const auto space = text.find_last_of(" \t\n", width - 1);
  if (space == std::string::npos || space == 0) return {text, ""};
  const auto newline = text.rfind('\n', width - 1);
  if (newline != std::string::npos && newline > 0 && newline < space)
    return {text.substr(0, newline), text.substr(newline + 1)};
  return {text.substr(0, space), text.substr(space + 1)};
}

std::string indent_lines(const std::string& text, const std::string& indent) {
  std::string out;
  for (const char c : text) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

}  // namespace

std::string wrap_usage(std::size_t indent, std::size_t columns, std::string text) {
  constexpr std::size_t kNarrow = 24;  // a column below this is not worth wrapping in
  constexpr std::size_t kSlop = 5;     // how far a last word may stick out
  if (columns == 0) return indent_lines(text, std::string(indent, ' '));
  std::string out;
  auto room = static_cast<std::ptrdiff_t>(columns) - static_cast<std::ptrdiff_t>(indent);
  if (room < static_cast<std::ptrdiff_t>(kNarrow)) {
    indent = 16;
    room = static_cast<std::ptrdiff_t>(columns) - 16;
    out = "\n" + std::string(indent, ' ');
  }
  if (room < static_cast<std::ptrdiff_t>(kNarrow)) return out + text;
  const auto width = static_cast<std::size_t>(room) - kSlop;
  const std::string spaces(indent, ' ');
  bool first = true;
  while (first || !text.empty()) {
    auto [line, rest] = break_line(width, kSlop, text);
    if (!first) out += "\n" + spaces;
    out += indent_lines(line, spaces);
    text = std::move(rest);
    first = false;
  }
  return out;
}

std::string FlagSet::usages(int columns) const {
  std::vector<const Flag*> shown;
  for (const auto& flag : flags_)
    if (!flag->hidden) shown.push_back(flag.get());
  std::sort(shown.begin(), shown.end(), [](const Flag* a, const Flag* b) { return a->name < b->name; });
  std::vector<std::string> left;
  std::size_t longest = 0;
  for (const Flag* flag : shown) {
    std::string line =
        flag->shorthand ? fmt::format("  -{}, --{}", flag->shorthand, flag->name) : "      --" + flag->name;
    if (!flag->type.empty()) line += " " + flag->type;
    longest = std::max(longest, line.size());
    left.push_back(std::move(line));
  }
  std::string out;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    std::string usage = shown[i]->usage;
    if (!shown[i]->default_text.empty()) usage += fmt::format(" (default {})", shown[i]->default_text);
    out += left[i] + std::string(longest + 3 - left[i].size(), ' ');
    out += wrap_usage(longest + 3, static_cast<std::size_t>(std::max(columns, 0)), std::move(usage)) + "\n";
  }
  return out;
}

Result<std::vector<std::string>> parse_csv_line(std::string_view line) {
  std::vector<std::string> fields;
  if (line.empty()) return fields;
  std::string field;
  bool quoted = false;
  bool at_start = true;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c != '"')
        field += c;
      else if (i + 1 < line.size() && line[i + 1] == '"')
        field += line[++i];
      else if (i + 1 < line.size() && line[i + 1] != ',')
        return fail(Kind::InvalidArgument,
                    "parse error on line 1, column {}: extraneous or missing \" in quoted-field", i + 1);
      else
        quoted = false;
    } else if (c == '"') {
      if (!at_start)
        return fail(Kind::InvalidArgument, "parse error on line 1, column {}: bare \" in non-quoted-field",
                    i + 1);
      quoted = true;
    } else if (c == ',') {
      fields.push_back(std::move(field));
      field.clear();
      at_start = true;
      continue;
    } else {
      field += c;
    }
    at_start = false;
  }
  if (quoted)
    return fail(Kind::InvalidArgument,
                "parse error on line 1, column {}: extraneous or missing \" in quoted-field",
                line.size() + 1);
  fields.push_back(std::move(field));
  return fields;
}

namespace {

/// Go's base 0: a prefix says the base. Returns digits and base.
std::pair<std::string_view, int> split_base(std::string_view text) {
  if (text.size() > 1 && text[0] == '0') {
    const char kind = static_cast<char>(text[1] | 0x20);
    if (kind == 'x') return {text.substr(2), 16};
    if (kind == 'b') return {text.substr(2), 2};
    if (kind == 'o') return {text.substr(2), 8};
    return {text.substr(1), 8};
  }
  return {text, 10};
}

enum class Number { Fine, Syntax, Range };

Number read_digits(std::string_view text, std::uint64_t& out) {
  const auto [digits, base] = split_base(text);
  if (digits.empty()) return Number::Syntax;
  out = 0;
  bool overflow = false;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9'                     ? c - '0'
                      : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                               : 99;
    if (digit >= base) return Number::Syntax;
    overflow |= __builtin_mul_overflow(out, static_cast<std::uint64_t>(base), &out);
    overflow |= __builtin_add_overflow(out, static_cast<std::uint64_t>(digit), &out);
  }
  return overflow ? Number::Range : Number::Fine;
}

Error number_error(std::string_view function, std::string_view text, Number what) {
  return fail(Kind::InvalidArgument, "strconv.{}: parsing {}: {}", function, quote(text),
              what == Number::Range ? "value out of range" : "invalid syntax");
}

}  // namespace

Result<std::int64_t> parse_go_int(std::string_view text, std::string_view function) {
  const bool negative = !text.empty() && text[0] == '-';
  const bool sign = negative || (!text.empty() && text[0] == '+');
  std::uint64_t magnitude = 0;
  const Number what = read_digits(text.substr(sign ? 1 : 0), magnitude);
  if (what != Number::Fine) return number_error(function, text, what);
  const std::uint64_t limit = static_cast<std::uint64_t>(INT64_MAX) + (negative ? 1 : 0);
  if (magnitude > limit) return number_error(function, text, Number::Range);
  return static_cast<std::int64_t>(negative ? ~magnitude + 1 : magnitude);
}

Result<std::uint64_t> parse_go_uint(std::string_view text, int bits) {
  std::uint64_t value = 0;
  const Number what = read_digits(text, value);
  if (what != Number::Fine) return number_error("ParseUint", text, what);
  if (bits < 64 && value >> bits) return number_error("ParseUint", text, Number::Range);
  return value;
}

Result<bool> parse_go_bool(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == yes) return true;
  for (const std::string_view no : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == no) return false;
  return fail(Kind::InvalidArgument, "strconv.ParseBool: parsing {}: invalid syntax", quote(text));
}

}  // namespace skiff::cli
