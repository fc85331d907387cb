#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/help.h"
#include "cmd/oci/log.h"
#include "spec/oci_runtime.h"
#include "spec/program_version.h"
#include "sys/executable.h"
#include "sys/path.h"

/// The OCI runtime command line, with runc's options: what containerd, Podman and CRI-O call.
namespace skiff::oci {
namespace {

using enum Flag::Type;

constexpr Flag kGlobalFlags[] = {
    {"debug", 0, Switch, "log more"},
    {"log", 0, Text, "file to write the log to (default: standard error)"},
    {"log-format", 0, Text, "text or json (default: \"text\")"},
    {"root", 0, Text, "directory of the containers' state (default: \"/run/skiff-runtime\")"},
    {"systemd-cgroup", 0, Switch, "have systemd make the cgroup; cgroupsPath is then \"slice:prefix:name\""},
    {"rootless", 0, Text, "true, false or auto; taken for compatibility"},
    {"cgroup-manager", 0, Text, "cgroupfs or systemd, as crun has it"},
    {"criu", 0, Text, {}},
    {"help", 'h', Switch, "show help"},
    {"version", 'v', Switch, "print the version"},
};

constexpr int kExecFailed = 255;
constexpr int kNoSuchCommand = 3;

int fail_with(const std::string& text, int code = 1) {
  write_log("error", text);
  return code;
}

int show(std::string_view text) {
  const auto shown = print(text);
  return shown ? 0 : fail_with(shown.error().message());
}

/// What runc's users see: what is wrong and how the command is to be called on standard output, and the
/// error.
int incorrect_usage(const std::string& error, std::string_view detail, const std::string& help) {
  (void)print(fmt::format("Incorrect Usage{}\n\n{}", detail, help));  // the error is said below
  return fail_with(error);
}

/// Empty, or what is wrong with the number of arguments.
std::string count_error(const Command& command, std::size_t count) {
  const auto complain = [&](std::string_view how, std::size_t number) {
    return fmt::format("skiff-runtime: {} requires {} {} argument(s)", quote(command.name), how, number);
  };
  if (command.least == command.most) return count == command.least ? "" : complain("exactly", command.least);
  if (count < command.least) return complain("a minimum of", command.least);
  return count > command.most ? complain("a maximum of", command.most) : "";
}

Result<Global> global_of(const Flags& flags) {
  Global global;
  // Relative to where we stand, and the same after a change of directory.
  if (!flags.get("root").empty()) global.root = sys::join_path(sys::current_directory(), flags.get("root"));
  const auto manager = flags.get("cgroup-manager", "cgroupfs");
  if (manager != "cgroupfs" && manager != "systemd")
    return fail(Kind::Unsupported, "cgroup-manager {} is not supported", quote(manager));
  global.systemd_cgroup = flags.has("systemd-cgroup") || manager == "systemd";
  return global;
}

int run_command(const Command& command, const Flags& global_flags, char** arguments) {
  const auto& words = global_flags.arguments();
  const auto given = std::span(words).subspan(1);
  const bool passes_words_on = command.most == kAnyNumber;
  const auto flags =
      passes_words_on ? Flags::parse(given, command.flags) : Flags::parse_anywhere(given, command.flags);
  if (!flags) return incorrect_usage(flags.error().message(), ": " + flags.error().message(), help(command));
  if (flags->has("help")) return show(help(command));
  if (const auto error = count_error(command, flags->arguments().size()); !error.empty())
    return incorrect_usage(error, ".", help(command));
  auto result = [&]() -> Result<int> {
    const auto global = TRY(global_of(global_flags));
    if (command.makes_processes) TRY(sys::protect_own_executable(arguments));
    return command.run(global, *flags);
  }();
  if (result) return *result;
  const auto& text = result.error().message();
  return fail_with(command.failure.empty() ? text : fmt::format("{}: {}", command.failure, text),
                   command.name == "exec" ? kExecFailed : 1);
}

const Command* find_command(std::string_view name) {
  for (const auto& command : commands())
    if (command.name == name) return &command;
  return nullptr;
}

int show_help(const Flags& flags) {
  const auto& words = flags.arguments();
  if (words.size() < 2) return show(help(commands(), kGlobalFlags));
  const auto* command = find_command(words[1]);
  if (!command) return fail_with(fmt::format("No help topic for '{}'", words[1]), kNoSuchCommand);
  return show(help(*command));
}

int show_version() {
  return show(fmt::format("skiff-runtime version {}\ncommit: {}\nspec: {}\n", spec::program_version(),
                          spec::program_commit(), spec::oci::kRuntimeSpecVersion));
}

int main(int count, char** arguments) {
  const auto flags = Flags::parse(std::vector<std::string>(arguments + 1, arguments + count), kGlobalFlags);
  if (!flags)
    return incorrect_usage(flags.error().message(), ". " + flags.error().message(),
                           help(commands(), kGlobalFlags));
  if (const auto set = set_log({flags->get("log"), flags->get("log-format", "text"), flags->has("debug")});
      !set)
    return fail_with(set.error().message());
  if (flags->has("version")) return show_version();
  if (flags->has("help") || flags->arguments().empty()) return show(help(commands(), kGlobalFlags));
  const auto& name = flags->arguments().front();
  if (name == "help" || name == "h") return show_help(*flags);
  const auto* command = find_command(name);
  if (!command) return fail_with(fmt::format("No help topic for '{}'", name), kNoSuchCommand);
  return run_command(*command, *flags, arguments);
}

}  // namespace
}  // namespace skiff::oci

int main(int count, char** arguments) { return skiff::oci::main(count, arguments); }
