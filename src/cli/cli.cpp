#include "cli/cli.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iterator>

#include "base/strings.h"
#include "cli/help.h"
#include "client/host.h"
#include "spec/digest.h"
#include "spec/program_version.h"
#include "sys/file.h"

namespace skiff::cli {

namespace {

constexpr std::string_view kDefaultHost = "unix:///run/skiff/skiff.sock";
constexpr std::string_view kApiVersion = "1.51";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

std::string text_member(const json::Value& object, std::string_view name) {
  const json::Value* found = object.is_object() ? object.get_object().if_contains(name) : nullptr;
  return found && found->is_string() ? std::string(found->get_string()) : "";
}

/// The host that a context's metadata names.
Result<std::string> context_host(const std::string& directory, const std::string& name) {
  const std::string path =
      directory + "/contexts/meta/" + std::string(spec::Digest::of(name).hex()) + "/meta.json";
  auto text = sys::read_file(path, 1 << 20);
  if (!text.ok())
    return fail(Kind::NotFound, "context {}: context not found: open {}: no such file or directory",
                quote(name), path);
  const json::Value meta = TRY_CONTEXT(json::parse(*text), "context {}", quote(name));
  const json::Value* endpoint = meta.is_object() ? meta.get_object().if_contains("Endpoints") : nullptr;
  endpoint = endpoint && endpoint->is_object() ? endpoint->get_object().if_contains("docker") : nullptr;
  const std::string host = endpoint ? text_member(*endpoint, "Host") : "";
  if (host.empty()) return fail(Kind::InvalidArgument, "context {} has no docker endpoint", quote(name));
  return host;
}

}  // namespace

Cli::Cli(std::string program_name) : program(std::move(program_name)) {
  globals.config_directory = environment("DOCKER_CONFIG");
  if (globals.config_directory.empty()) globals.config_directory = environment("HOME") + "/.docker";
}

const json::Value& Cli::config() {
  if (!config_) {
    config_.emplace(json::Object());
    auto text = sys::read_file(globals.config_directory + "/config.json", 16 << 20);
    if (text.ok()) {
      if (auto parsed = json::parse(*text); parsed.ok())
        config_ = *std::move(parsed);
      else
        err.print("WARNING: Error loading config file: {}/config.json: {}\n", globals.config_directory,
                  parsed.error().message());
    }
  }
  return *config_;
}

std::string Cli::config_value(std::string_view name) { return text_member(config(), name); }

std::string Cli::context_name() {
  if (!globals.hosts.empty()) return "default";
  if (!globals.context.empty()) return globals.context;
  if (!environment("DOCKER_HOST").empty()) return "default";
  if (const std::string name = environment("DOCKER_CONTEXT"); !name.empty()) return name;
  const std::string name = config_value("currentContext");
  return name.empty() ? "default" : name;
}

Result<client::Client*> Cli::engine() {
  if (client_) return client_.get();
  std::string host = globals.hosts.empty() ? "" : globals.hosts.front();
  if (const std::string name = context_name(); host.empty() && name != "default")
    host = TRY_CONTEXT(context_host(globals.config_directory, name),
                       "Failed to initialize: unable to resolve docker endpoint");
  if (host.empty() && globals.context.empty()) host = environment("DOCKER_HOST");
  client_ = TRY(engine_at(host.empty() ? kDefaultHost : std::string_view(host)));
  return client_.get();
}

Result<std::unique_ptr<client::Client>> Cli::engine_at(std::string_view host) {
  // Docker names what it was about to do only for the addresses that it resolves itself.
  auto address = client::parse_host(host);
  if (!address.ok())
    return address.error().with_context(host.starts_with("ssh://")
                                            ? "Failed to initialize"
                                            : "Failed to initialize: unable to resolve docker endpoint");
  std::string version = environment("DOCKER_API_VERSION");
  if (version.starts_with("v")) version.erase(0, 1);
  const bool fixed = !version.empty();
  return std::make_unique<client::Client>(*std::move(address), fixed ? version : std::string(kApiVersion),
                                          fixed);
}

void Cli::report(const Error& error) {
  err.write(error.message() + "\n");
  failed_ = true;
}

int terminal_columns() {
  winsize size{};
  if (::ioctl(0, TIOCGWINSZ, &size) == 0) return size.ws_col;
  return 80;
}

bool confirm(Cli& cli, std::string_view question) {
  cli.out.write(question);
  cli.out.flush();
  std::string answer;
  char c = 0;
  while (::read(0, &c, 1) == 1 && c != '\n') answer += c;
  const std::string_view text = trim(answer);
  return equals_ignore_case(text, "y");
}

namespace {

/// A failure of the command line itself, in Docker's words.
int usage_error(Cli& cli, std::string_view message, std::string_view usage, std::string_view path) {
  cli.err.print("{}\n\nUsage:  {}\n\nRun '{} --help' for more information\n", message, usage, path);
  return 125;
}

std::string plural(std::size_t count) { return count == 1 ? "argument" : "arguments"; }

/// What is wrong with the number of arguments; empty when nothing is.
std::string arity_complaint(const Arity& arity, std::size_t count) {
  switch (arity.kind) {
    case Arity::Kind::Any:
      return {};
    case Arity::Kind::None:
      return count == 0 ? "" : "accepts no arguments";
    case Arity::Kind::Exactly:
      return count == arity.low ? "" : fmt::format("requires {} {}", arity.low, plural(arity.low));
    case Arity::Kind::AtLeast:
      return count >= arity.low ? "" : fmt::format("requires at least {} {}", arity.low, plural(arity.low));
    case Arity::Kind::AtMost:
      return count <= arity.high ? "" : fmt::format("requires at most {} {}", arity.high, plural(arity.high));
    case Arity::Kind::Between:
      if (count >= arity.low && count <= arity.high) return {};
      return fmt::format("requires at least {} and at most {} {}", arity.low, arity.high, plural(arity.high));
  }
  return {};
}

int run_entry(Cli& cli, const Entry& entry, const Arguments& words) {
  const std::string path = fmt::format("{} {}", cli.program, entry.path);
  const auto command = entry.make();
  auto parsed = command->flags.parse(words);
  if (!parsed.ok()) return usage_error(cli, parsed.error().message(), usage_line(cli.program, entry), path);
  for (const auto& warning : parsed->warnings) cli.err.write(warning + "\n");
  if (parsed->help) {
    cli.out.write(command_help(cli.program, entry, *command));
    return 0;
  }
  const Arity arity = entry.arity_of ? entry.arity_of(parsed->arguments) : entry.arity;
  if (const std::string complaint = arity_complaint(arity, parsed->arguments.size()); !complaint.empty()) {
    const std::string_view verb = arity.kind == Arity::Kind::AtLeast ? "See" : "Run";
    cli.err.print("{0}: '{1}' {2}\n\nUsage:  {3}\n\n{4} '{1} --help' for more information\n", cli.program,
                  path, complaint, usage_line(cli.program, entry), verb);
    return 1;
  }
  auto code = command->run(cli, parsed->arguments);
  if (code.ok()) return *code;
  if (!code.error().message().empty()) cli.err.write(code.error().message() + "\n");
  return 1;
}

int run_group(Cli& cli, const Group& group, const Arguments& words) {
  const std::string path = fmt::format("{} {}", cli.program, group.name);
  FlagSet none;
  none.stop_at_first_argument();
  auto parsed = none.parse(words);
  if (!parsed.ok()) return usage_error(cli, parsed.error().message(), path, path);
  if (parsed->help) {
    cli.out.write(group_help(cli.program, group));
    return 0;
  }
  if (parsed->arguments.empty()) {
    cli.err.write(group_help(cli.program, group));
    return 0;
  }
  cli.err.print("{0}: unknown command: {1} {2}\n\nUsage:  {1}\n\nRun '{1} --help' for more information\n",
                cli.program, path, parsed->arguments[0]);
  return 1;
}

void add_global_flags(FlagSet& flags, GlobalOptions& options) {
  flags.stop_at_first_argument();
  flags.string(options.config_directory, "config", 0, "Location of client config files");
  flags.string(
      options.context, "context", 'c',
      "Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and default "
      "context set with \"docker context use\")");
  flags.boolean(options.debug, "debug", 'D', "Enable debug mode");
  flags.list(options.hosts, "host", 'H', "Daemon socket to connect to");
  flags.string(options.log_level, "log-level", 'l',
               "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")");
  flags.boolean(options.version, "version", 'v', "Print version information and quit");
}

int run_words(Cli& cli, const Arguments& words, const std::string& help) {
  if (words[0] == "help") {
    const Arguments rest(words.begin() + 1, words.end());
    if (rest.empty()) return cli.out.write(help), 0;
    const auto [entry, used] = find_entry(rest);
    if (entry) return cli.out.write(command_help(cli.program, *entry, *entry->make())), 0;
    if (const Group* group = find_group(rest[0])) return cli.out.write(group_help(cli.program, *group)), 0;
    cli.err.print("unknown help topic: {}\n", join(rest, " "));
    return 1;
  }
  const auto [entry, used] = find_entry(words);
  if (entry)
    return run_entry(cli, *entry, Arguments(words.begin() + static_cast<std::ptrdiff_t>(used), words.end()));
  if (const Group* group = find_group(words[0]))
    return run_group(cli, *group, Arguments(words.begin() + 1, words.end()));
  cli.err.print("{0}: unknown command: {0} {1}\n\nRun '{0} --help' for more information\n", cli.program,
                words[0]);
  return 1;
}

}  // namespace

int run_cli(std::string_view program, const std::vector<std::string>& arguments) {
  Cli cli{std::string(program)};
  FlagSet flags;
  add_global_flags(flags, cli.globals);
  auto parsed = flags.parse(arguments);
  if (!parsed.ok())
    return usage_error(cli, parsed.error().message(), fmt::format("{} [OPTIONS] COMMAND [ARG...]", program),
                       program);
  for (const auto& warning : parsed->warnings) cli.err.write(warning + "\n");
  if (parsed->help) {
    cli.out.write(root_help(program, flags));
    return 0;
  }
  if (cli.globals.version) {
    cli.out.print("{} version {}, build {}\n", program == "docker" ? "Docker" : "Skiff",
                  spec::program_version(), spec::program_commit());
    return 0;
  }
  if (cli.globals.hosts.size() > 1) {
    cli.err.write("Specify only one -H\n");
    return 1;
  }
  if (parsed->arguments.empty()) {
    cli.err.write(root_help(program, flags));
    return 0;
  }
  return run_words(cli, parsed->arguments, root_help(program, flags));
}

}  // namespace skiff::cli
