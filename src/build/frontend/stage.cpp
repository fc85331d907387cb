#include "build/frontend/stage.h"

#include <algorithm>

#include "base/clock.h"
#include "base/strings.h"
#include "build/frontend/values.h"
#include "sys/path.h"

namespace skiff::build {
namespace {

Error wrong(std::string message) { return Error(Kind::InvalidArgument, std::move(message)); }

std::string flag(const Instruction& in, const std::string& name) {
  const auto found = in.flags.find(name);
  return found == in.flags.end() ? "" : found->second;
}

bool is_remote(std::string_view source) {
  return source.starts_with("http://") || source.starts_with("https://");
}

Result<mode_t> parse_mode(std::string_view text) {
  mode_t mode = 0;
  if (text.empty() || text.size() > 5)
    return wrong(fmt::format("invalid chmod parameter: '{}'. it should be octal string", text));
  for (const char c : text) {
    if (c < '0' || c > '7')
      return wrong(fmt::format("invalid chmod parameter: '{}'. it should be octal string", text));
    mode = mode * 8 + static_cast<mode_t>(c - '0');
  }
  if (mode > 07777)
    return wrong(fmt::format(
        "invalid chmod parameter: '{}'. it should be octal string and between 0 and 07777", text));
  return mode;
}

std::string health_text(const spec::oci::HealthConfig& health) {
  const auto duration = [](std::int64_t value) { return format_duration(std::chrono::nanoseconds(value)); };
  return fmt::format("&{{{} {} {} {} {} {}}}", plain_list(health.test), duration(health.interval),
                     duration(health.timeout), duration(health.start_period), duration(health.start_interval),
                     health.retries);
}

}  // namespace

std::optional<std::string> StageCompiler::look_up(std::string_view name) {
  if (const std::string* entry = find_variable(config().env, name))
    return std::string(entry->substr(name.size() + 1));
  return arguments_.get(name);
}

Result<std::string> StageCompiler::expand_one(std::string_view word) {
  return expand(word, file_.escape, [this](std::string_view name) { return look_up(name); });
}

std::vector<std::string> StageCompiler::shell() {
  return config().shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : config().shell;
}

std::vector<std::string> StageCompiler::command_line(const Instruction& in) {
  if (in.json) return in.arguments;
  std::vector<std::string> command = shell();
  if (!in.arguments.empty()) command.push_back(in.arguments[0]);
  return command;
}

std::string StageCompiler::nop(std::string_view change) {
  return fmt::format("{} #(nop) {}", join(shell(), " "), change);
}

void StageCompiler::add_vertex(Step& step, Operation operation, std::optional<std::size_t> second) {
  Vertex vertex{std::move(operation), {*stage().result}};
  if (second) vertex.inputs.push_back(*second);
  graph_.vertices.push_back(std::move(vertex));
  step.vertex = stage().result = graph_.vertices.size() - 1;
}

Result<void> StageCompiler::apply(const Instruction& in, Step& step) {
  switch (in.keyword) {
    case Keyword::Env:
      return env(in, step);
    case Keyword::Label:
      return label(in, step);
    case Keyword::Arg:
      return arg(in, step);
    case Keyword::Run:
      return run(in, step);
    case Keyword::Add:
    case Keyword::Copy:
      return copy(in, step);
    case Keyword::Workdir:
      return workdir(in, step);
    case Keyword::Expose:
      return expose(in, step);
    case Keyword::Volume:
      return volume(in, step);
    case Keyword::Cmd:
    case Keyword::Entrypoint:
      return entry(in, step);
    case Keyword::Healthcheck:
      return health(in, step);
    default:
      return simple(in, step);
  }
}

Result<void> StageCompiler::env(const Instruction& in, Step& step) {
  std::string change = " ENV";
  std::vector<NamedValue> values;  // all are resolved before any takes effect
  for (const NamedValue& pair : in.pairs)
    values.push_back({TRY(expand_one(pair.name)), TRY(expand_one(pair.value))});
  for (const NamedValue& value : values) {
    set_variable(config().env, value.name, value.value);
    change += fmt::format(" {}={}", value.name, value.value);
  }
  step.created_by = nop(change);
  return {};
}

Result<void> StageCompiler::label(const Instruction& in, Step& step) {
  std::string change = " LABEL";
  for (const NamedValue& pair : in.pairs) {
    const std::string name = TRY(expand_one(pair.name));
    const std::string value = TRY(expand_one(pair.value));
    config().labels[name] = value;
    change += fmt::format(" {}={}", name, value);
  }
  step.created_by = nop(change);
  return {};
}

Result<void> StageCompiler::arg(const Instruction& in, Step& step) {
  std::string change = " ARG";
  for (const ArgumentDefault& definition : in.definitions) {
    const std::string name = TRY(expand_one(definition.name));
    std::optional<std::string> value;
    if (definition.value) value = TRY(expand_one(*definition.value));
    arguments_.declare(name, value);
    change += " " + name;
    if (value) change += "=" + *value;
  }
  step.created_by = nop(change);
  return {};
}

Result<std::vector<std::string>> StageCompiler::run_command(const Instruction& in) {
  if (in.heredocs.empty() || in.json) return command_line(in);
  std::vector<std::string> command = shell();
  const std::string line = in.arguments.empty() ? "" : in.arguments[0];
  const bool only_heredoc = in.heredocs.size() == 1 && split_blanks(line).size() == 1;
  if (only_heredoc) {
    if (in.heredocs[0].content.starts_with("#!"))
      return Error(Kind::Unsupported,
                   "RUN with a heredoc that names its own interpreter (#!) is not supported: use "
                   "RUN <program> <<EOF");
    command.push_back(in.heredocs[0].content);
    return command;
  }
  std::string script(line);
  for (const Heredoc& heredoc : in.heredocs) script += "\n" + heredoc.content + heredoc.name;
  command.push_back(script + "\n");
  return command;
}

Result<void> StageCompiler::run(const Instruction& in, Step& step) {
  if (in.flags.contains("mount"))
    return Error(Kind::Unsupported, "the --mount option of RUN is not supported");
  if (const std::string security = flag(in, "security"); !security.empty() && security != "sandbox")
    return Error(Kind::Unsupported, "the --security option of RUN is not supported");
  ExecOperation op;
  op.command = TRY(run_command(in));
  op.environment = config().env;
  std::vector<std::string> arguments;
  for (const auto& [name, value] : arguments_.declared())
    if (!find_variable(config().env, name)) arguments.push_back(name + "=" + value);
  op.environment.insert(op.environment.end(), arguments.begin(), arguments.end());
  for (const auto& [name, value] : arguments_.hidden())
    if (!find_variable(config().env, name)) op.hidden_environment.push_back(name + "=" + value);
  op.user = config().user;
  op.directory = config().working_dir.empty() ? "/" : config().working_dir;
  for (const auto& [path, unused] : config().volumes) op.volumes.push_back(path);
  op.network = options_.network;
  if (const std::string network = flag(in, "network"); !network.empty()) op.network = network;
  op.extra_hosts = options_.extra_hosts;
  op.limits = options_.limits;
  step.created_by = join(op.command, " ");
  if (!arguments.empty() || !op.hidden_environment.empty())
    step.created_by = fmt::format("|{} {}{}{}", arguments.size(), join(arguments, " "),
                                  arguments.empty() ? "" : " ", step.created_by);
  add_vertex(step, std::move(op));
  return {};
}

Result<void> StageCompiler::check_copy_flags(const Instruction& in) {
  for (const char* name : {"parents", "exclude", "checksum", "keep-git-dir"})
    if (in.flags.contains(name))
      return fail(Kind::Unsupported, "the --{} option of {} is not supported", name, to_string(in.keyword));
  return {};
}

Result<void> StageCompiler::copy_sources(const Instruction& in, CopyOperation& op) {
  for (std::size_t i = 0; i + 1 < in.arguments.size(); ++i) {
    const std::string& word = in.arguments[i];
    const auto heredoc = std::find_if(in.heredocs.begin(), in.heredocs.end(), [&word](const Heredoc& each) {
      return word.starts_with("<<") && word.find(each.name) != std::string::npos;
    });
    if (heredoc != in.heredocs.end() && !in.json) {
      InlineFile file{heredoc->name, heredoc->content};
      if (heredoc->expand)
        file.content = TRY(expand_text(heredoc->content, file_.escape,
                                       [this](std::string_view name) { return look_up(name); }));
      op.files.push_back(std::move(file));
      continue;
    }
    std::string source = TRY(expand_one(word));
    if (is_remote(source)) {
      if (!op.add) return fail(Kind::InvalidArgument, "COPY failed: source can't be a URL for COPY");
      op.urls.push_back(std::move(source));
      continue;
    }
    op.sources.push_back(std::move(source));
  }
  return {};
}

Result<std::size_t> StageCompiler::copy_from(const std::string& name) {
  const std::size_t here = graph_.stages.size() - 1;
  for (std::size_t i = 0; i < here; ++i)
    if (equals_ignore_case(graph_.stages[i].name, name)) return *graph_.stages[i].result;
  if (const auto index = parse_uint(name)) {
    if (*index >= here) return wrong(fmt::format("invalid from flag value {}: index out of bounds", name));
    return *graph_.stages[*index].result;
  }
  if (here == graph_.stages.size()) return wrong("no stage");
  const BaseImage base = TRY_CONTEXT(images_.resolve(name, ""), "invalid from flag value {}", name);
  graph_.vertices.push_back({SourceOperation{base.id, base.snapshot}, {}});
  return graph_.vertices.size() - 1;
}

Result<void> StageCompiler::copy(const Instruction& in, Step& step) {
  TRY(check_copy_flags(in));
  CopyOperation op;
  op.add = in.keyword == Keyword::Add;
  TRY(copy_sources(in, op));
  op.owner = TRY(expand_one(flag(in, "chown")));
  if (const std::string mode = TRY(expand_one(flag(in, "chmod"))); !mode.empty())
    op.mode = TRY(parse_mode(mode));
  op.destination = copy_destination(config().working_dir, TRY(expand_one(in.arguments.back())));
  if (op.sources.size() + op.files.size() + op.urls.size() > 1 && !op.destination.ends_with('/'))
    return fail(
        Kind::InvalidArgument,
        "When using {} with more than one source file, the destination must be a directory and end with a /",
        to_string(in.keyword));
  std::optional<std::size_t> from;
  if (const std::string name = TRY(expand_one(flag(in, "from"))); !name.empty()) from = TRY(copy_from(name));
  const std::string owner = op.owner.empty() ? "" : fmt::format("--chown={} ", op.owner);
  step.created_by = nop(fmt::format("{} {}{{}} in {} ", to_string(in.keyword), owner, op.destination));
  add_vertex(step, std::move(op), from);
  return {};
}

Result<void> StageCompiler::workdir(const Instruction& in, Step& step) {
  const std::string path = TRY(expand_one(in.arguments[0]));
  if (path.empty()) return wrong("cannot normalize nothing");
  config().working_dir = sys::join_path(config().working_dir.empty() ? "/" : config().working_dir, path);
  step.created_by = nop("WORKDIR " + config().working_dir);
  add_vertex(step, DirectoryOperation{config().working_dir});
  return {};
}

Result<void> StageCompiler::expose(const Instruction& in, Step& step) {
  std::vector<std::string> words;
  for (const std::string& word : in.arguments)
    for (std::string& part :
         TRY(expand_words(word, file_.escape, [this](std::string_view name) { return look_up(name); })))
      words.push_back(std::move(part));
  for (const std::string& word : words)
    for (const std::string& port : TRY(parse_exposed_port(word))) config().exposed_ports[port];
  step.created_by = nop(" EXPOSE " + join(words, " "));
  return {};
}

Result<void> StageCompiler::volume(const Instruction& in, Step& step) {
  std::vector<std::string> paths;
  for (const std::string& word : in.arguments) {
    paths.push_back(TRY(expand_one(word)));
    if (paths.back().empty()) return wrong("VOLUME specified can not be an empty string");
    config().volumes[paths.back()];
  }
  step.created_by = nop(" VOLUME " + plain_list(paths));
  return {};
}

Result<void> StageCompiler::entry(const Instruction& in, Step& step) {
  std::vector<std::string> command = command_line(in);
  if (in.keyword == Keyword::Cmd) {
    cmd_set_ = true;
    config().cmd = command;
  } else {
    if (in.arguments.empty()) command.clear();
    config().entrypoint = command;
    if (!cmd_set_) config().cmd.clear();
  }
  step.created_by = nop(fmt::format(" {} {}", to_string(in.keyword), quoted_list(command)));
  return {};
}

Result<void> StageCompiler::health(const Instruction& in, Step& step) {
  const std::optional<spec::oci::HealthConfig> old = config().healthcheck;
  if (old && !old->test.empty())
    step.remarks.push_back("Note: overriding previous HEALTHCHECK: " + plain_list(old->test));
  spec::oci::HealthConfig health = *in.health;
  step.created_by = nop(" HEALTHCHECK " + health_text(health));
  if (old) {  // what is not given is inherited, as when a container overrides its image
    if (!health.interval) health.interval = old->interval;
    if (!health.timeout) health.timeout = old->timeout;
    if (!health.start_period) health.start_period = old->start_period;
    if (!health.start_interval) health.start_interval = old->start_interval;
    if (!health.retries) health.retries = old->retries;
  }
  config().healthcheck = std::move(health);
  return {};
}

Result<void> StageCompiler::simple(const Instruction& in, Step& step) {
  switch (in.keyword) {
    case Keyword::User:
      config().user = TRY(expand_one(in.arguments[0]));
      step.created_by = nop(" USER " + config().user);
      break;
    case Keyword::Stopsignal: {
      const std::string signal = TRY(expand_one(in.arguments[0]));
      TRY(check_signal(signal));
      config().stop_signal = signal;
      step.created_by = nop(" STOPSIGNAL " + signal);
      break;
    }
    case Keyword::Shell:
      config().shell = in.arguments;
      step.created_by = nop(" SHELL " + plain_list(in.arguments));
      break;
    case Keyword::Onbuild:
      config().on_build.push_back(in.arguments[0]);
      step.created_by = nop(" ONBUILD " + in.arguments[0]);
      break;
    case Keyword::Maintainer:
      stage().image.author = in.arguments[0];
      step.created_by = nop(" MAINTAINER " + in.arguments[0]);
      break;
    default:
      return fail(Kind::Internal, "{} has no meaning inside a stage", to_string(in.keyword));
  }
  return {};
}

}  // namespace skiff::build
