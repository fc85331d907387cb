#include "build/frontend/parser.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/strings.h"

namespace skiff::build {
namespace {

/// How an instruction's arguments are cut.
enum class Form : std::uint8_t { Text, Words, JsonOrText, JsonOrWords, Pairs, Definitions, Health, Nested };

struct Rule {
  Keyword keyword;
  std::string_view name;
  Form form;
  std::vector<std::string> flags;
};

const std::vector<Rule>& rules() {
  static const std::vector<Rule> kRules = {
      {Keyword::Add,
       "ADD",
       Form::JsonOrWords,
       {"chmod", "chown", "checksum", "keep-git-dir", "link", "exclude"}},
      {Keyword::Arg, "ARG", Form::Definitions, {}},
      {Keyword::Cmd, "CMD", Form::JsonOrText, {}},
      {Keyword::Copy, "COPY", Form::JsonOrWords, {"from", "chmod", "chown", "link", "parents", "exclude"}},
      {Keyword::Entrypoint, "ENTRYPOINT", Form::JsonOrText, {}},
      {Keyword::Env, "ENV", Form::Pairs, {}},
      {Keyword::Expose, "EXPOSE", Form::Words, {}},
      {Keyword::From, "FROM", Form::Words, {"platform"}},
      {Keyword::Healthcheck,
       "HEALTHCHECK",
       Form::Health,
       {"interval", "timeout", "start-period", "start-interval", "retries"}},
      {Keyword::Label, "LABEL", Form::Pairs, {}},
      {Keyword::Maintainer, "MAINTAINER", Form::Text, {}},
      {Keyword::Onbuild, "ONBUILD", Form::Nested, {}},
      {Keyword::Run, "RUN", Form::JsonOrText, {"mount", "network", "security"}},
      {Keyword::Shell, "SHELL", Form::JsonOrText, {}},
      {Keyword::Stopsignal, "STOPSIGNAL", Form::Text, {}},
      {Keyword::User, "USER", Form::Text, {}},
      {Keyword::Volume, "VOLUME", Form::JsonOrWords, {}},
      {Keyword::Workdir, "WORKDIR", Form::Text, {}},
  };
  return kRules;
}

const Rule& rule_of(Keyword keyword) {
  return *std::find_if(rules().begin(), rules().end(),
                       [keyword](const Rule& rule) { return rule.keyword == keyword; });
}

Error wrong(std::string message) { return Error(Kind::InvalidArgument, std::move(message)); }

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  return near.empty() ? "" : fmt::format(" (did you mean {}?)", near);
}

Result<const Rule*> find_rule(std::string_view word) {
  std::vector<std::string> names;
  for (const Rule& rule : rules()) {
    if (equals_ignore_case(rule.name, word)) return &rule;
    names.emplace_back(rule.name);
  }
  return wrong(fmt::format("unknown instruction: {}{}", word, suggestion(word, names)));
}

Result<void> read_flags(Instruction& out, const Rule& rule, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    const auto [name, value] = cut(std::string_view(word).substr(2), '=');
    if (std::find(rule.flags.begin(), rule.flags.end(), name) == rule.flags.end())
      return wrong(fmt::format("unknown flag: --{}{}", name, suggestion(name, rule.flags)));
    const bool is_switch = name == "link" || name == "parents" || name == "keep-git-dir";
    if (!value && !is_switch) return wrong(fmt::format("missing a value on flag: --{}", name));
    if (!out.flags.emplace(name, value.value_or("true")).second)
      return wrong(fmt::format("duplicate flag specified: --{}", name));
  }
  return {};
}

Result<std::int64_t> duration_flag(const Instruction& in, const std::string& name) {
  const auto flag = in.flags.find(name);
  if (flag == in.flags.end() || flag->second.empty()) return std::int64_t{0};
  const auto duration = parse_duration(flag->second);
  if (!duration) return wrong(fmt::format("time: invalid duration {}", quote(flag->second)));
  if (duration->count() == 0) return std::int64_t{0};
  if (duration->count() < 1'000'000)
    return wrong(fmt::format("Interval {} cannot be less than 1ms", quote(name)));
  return static_cast<std::int64_t>(duration->count());
}

Result<void> read_health(Instruction& out, const std::string& rest) {
  const auto end = rest.find_first_of(" \t");
  const std::string type = to_upper(rest.substr(0, end));
  const std::string command(trim(end == std::string::npos ? "" : std::string_view(rest).substr(end)));
  if (type.empty()) return wrong("HEALTHCHECK requires at least one argument");
  spec::oci::HealthConfig health;
  if (type == "NONE") {
    if (!command.empty()) return wrong("HEALTHCHECK NONE takes no arguments");
    health.test = {"NONE"};
  } else if (type == "CMD") {
    if (command.empty()) return wrong("Missing command after HEALTHCHECK CMD");
    auto list = TRY(parse_json_form(command));
    health.test = {list ? "CMD" : "CMD-SHELL"};
    if (list)
      health.test.insert(health.test.end(), list->begin(), list->end());
    else
      health.test.push_back(command);
    health.interval = TRY(duration_flag(out, "interval"));
    health.timeout = TRY(duration_flag(out, "timeout"));
    health.start_period = TRY(duration_flag(out, "start-period"));
    health.start_interval = TRY(duration_flag(out, "start-interval"));
    if (const auto retries = out.flags.find("retries");
        retries != out.flags.end() && !retries->second.empty()) {
      const auto count = parse_int(retries->second);
      if (!count || *count > INT32_MAX)
        return wrong(fmt::format("invalid number of retries: {}", retries->second));
      if (*count < 0) return wrong(fmt::format("--retries cannot be negative ({})", *count));
      health.retries = static_cast<int>(*count);
    }
  } else {
    return wrong(fmt::format("Unknown type {} in HEALTHCHECK (try CMD)", quote(type)));
  }
  out.health = std::move(health);
  return {};
}

Result<void> read_definitions(Instruction& out, const std::string& rest, char escape) {
  for (const std::string& word : split_words(rest, escape)) {
    const auto [name, value] = cut(word, '=');
    if (name.empty()) return wrong("ARG names can not be blank");
    ArgumentDefault definition{std::string(name), std::nullopt};
    if (value) definition.value = std::string(*value);
    out.definitions.push_back(std::move(definition));
  }
  if (out.definitions.empty()) return wrong("ARG requires at least one argument");
  return {};
}

Result<void> read_trigger(Instruction& out, const std::string& rest, char escape) {
  if (rest.empty()) return wrong("ONBUILD requires at least one argument");
  const std::string word = to_upper(rest.substr(0, rest.find_first_of(" \t")));
  if (word == "ONBUILD") return wrong("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (word == "FROM" || word == "MAINTAINER")
    return wrong(fmt::format("{} isn't allowed as an ONBUILD trigger", word));
  Line line;
  line.text = rest;
  TRY(parse_instruction(line, escape));
  out.arguments = {rest};
  return {};
}

Result<void> read_arguments(Instruction& out, const Rule& rule, const std::string& rest, char escape) {
  switch (rule.form) {
    case Form::Text:
      if (!rest.empty()) out.arguments = {rest};
      return {};
    case Form::Words:
      out.arguments = split_blanks(rest);
      return {};
    case Form::JsonOrText:
    case Form::JsonOrWords:
      if (auto list = TRY(parse_json_form(rest))) {
        out.json = true;
        out.arguments = *std::move(list);
      } else if (rule.form == Form::JsonOrText) {
        if (!rest.empty()) out.arguments = {rest};
      } else {
        out.arguments = split_blanks(rest);
      }
      return {};
    case Form::Pairs:
      out.pairs = TRY(parse_pairs(rest, rule.name, escape));
      return {};
    case Form::Definitions:
      return read_definitions(out, rest, escape);
    case Form::Health:
      return read_health(out, rest);
    case Form::Nested:
      return read_trigger(out, rest, escape);
  }
  return {};
}

bool is_stage_name(std::string_view name) {
  if (name.empty() || !isalpha(static_cast<unsigned char>(name[0]))) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
}

Result<void> check_from(Instruction& out) {
  std::vector<std::string>& words = out.arguments;
  if (words.size() != 1 && !(words.size() == 3 && equals_ignore_case(words[1], "as")))
    return wrong("FROM requires either one or three arguments");
  if (words.size() == 1) return {};
  if (!is_stage_name(words[2]))
    return wrong(
        fmt::format("invalid name for build stage: {}, name can't start with a number or contain symbols",
                    quote(words[2])));
  words = {words[0], to_lower(words[2])};
  return {};
}

Result<void> check_counts(Instruction& out) {
  const std::string_view name = to_string(out.keyword);
  const std::size_t count = out.arguments.size();
  switch (out.keyword) {
    case Keyword::From:
      return check_from(out);
    case Keyword::Add:
    case Keyword::Copy:
      if (count == 0) return wrong(fmt::format("{} requires at least two arguments", name));
      if (count == 1)
        return wrong(
            fmt::format("{} requires at least two arguments, but only one was provided. Destination could "
                        "not be determined",
                        name));
      return {};
    case Keyword::Env:
    case Keyword::Label:
      if (out.pairs.empty()) return wrong(fmt::format("{} requires at least one argument", name));
      return {};
    case Keyword::Expose:
      std::sort(out.arguments.begin(), out.arguments.end());
      [[fallthrough]];
    case Keyword::Volume:
      if (count == 0) return wrong(fmt::format("{} requires at least one argument", name));
      if (std::any_of(out.arguments.begin(), out.arguments.end(),
                      [](const auto& word) { return trim(word).empty(); }))
        return wrong("VOLUME specified can not be an empty string");
      return {};
    case Keyword::Shell:
      if (count == 0) return wrong("SHELL requires at least one argument");
      if (!out.json) return wrong("SHELL requires the arguments to be in JSON form");
      return {};
    case Keyword::Maintainer:
    case Keyword::Stopsignal:
    case Keyword::User:
    case Keyword::Workdir:
      if (count != 1) return wrong(fmt::format("{} requires exactly one argument", name));
      return {};
    default:
      return {};
  }
}

}  // namespace

std::string_view to_string(Keyword keyword) { return rule_of(keyword).name; }

Result<Instruction> parse_instruction(const Line& line, char escape) {
  const std::string text(trim(line.text));
  const auto end =
      std::find_if(text.begin(), text.end(), [](char c) { return isspace(static_cast<unsigned char>(c)); });
  const Rule& rule = *TRY(find_rule(std::string_view(text.begin(), end)));
  Instruction out;
  out.keyword = rule.keyword;
  out.text = text;
  out.line = line.first;
  out.heredocs = line.heredocs;
  std::string rest(trim(std::string_view(end, text.end())));
  const bool takes_flags = rule.keyword != Keyword::Cmd && rule.keyword != Keyword::Entrypoint;
  if (takes_flags) TRY(read_flags(out, rule, take_flags(rest)));
  TRY(read_arguments(out, rule, rest, escape));
  TRY(check_counts(out));
  return out;
}

std::string Dockerfile::with_source(int line, std::string_view message) const {
  const auto index = static_cast<std::size_t>(line) - 1;
  if (line < 1 || index >= source.size()) return std::string(message);
  return fmt::format("{}\n{}:{}\n{:>4} | {}", message, name, line, line, source[index]);
}

Result<Dockerfile> parse_dockerfile(std::string_view text, const std::string& name) {
  Dockerfile file;
  file.name = name;
  file.source = split(text, '\n');
  for (std::string& line : file.source)
    if (line.ends_with('\r')) line.pop_back();
  if (trim(text).empty()) return fail(Kind::InvalidArgument, "the Dockerfile ({}) cannot be empty", name);
  Scan scanned = TRY_CONTEXT(scan(text), "failed to parse {}", name);
  file.escape = scanned.escape;
  file.warnings = std::move(scanned.warnings);
  for (const Line& line : scanned.lines) {
    auto instruction = parse_instruction(line, file.escape);
    if (!instruction.ok())
      return wrong(file.with_source(line.first, fmt::format("dockerfile parse error on line {}: {}",
                                                            line.first, instruction.error().message())));
    file.instructions.push_back(*std::move(instruction));
  }
  if (file.instructions.empty())
    return fail(Kind::InvalidArgument, "failed to parse {}: file with no instructions", name);
  return file;
}

}  // namespace skiff::build
