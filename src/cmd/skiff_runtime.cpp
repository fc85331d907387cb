#include <fcntl.h>
#include <unistd.h>

#include <iostream>

#include "base/clock.h"
#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/flags.h"
#include "spec/oci_runtime.h"
#include "spec/program_version.h"
#include "sys/executable.h"
#include "sys/file.h"

/// The OCI runtime command line, with runc's options: what containerd, Podman and CRI-O call.
namespace skiff::oci {
namespace {

struct Command {
  std::string_view name;
  Result<int> (*run)(const Global&, const Words&);
  std::string_view help;
  bool makes_processes = false;  ///< its image could be seen from a container
};

constexpr Command kCommands[] = {
    {"create", create, "create a container", true},
    {"delete", remove, "delete any resources held by the container"},
    {"events", events, "display counters of cpu, memory and I/O"},
    {"exec", exec, "execute a new process inside the container", true},
    {"features", features, "show the enabled features"},
    {"kill", kill, "send a signal (default: SIGTERM) to the container's first process"},
    {"list", list, "list containers of the given root"},
    {"pause", pause, "suspend all processes inside the container"},
    {"ps", ps, "display the processes running inside a container"},
    {"resume", resume, "resume a paused container"},
    {"run", run, "create and run a container", true},
    {"spec", spec, "create a new specification file"},
    {"start", start, "execute the program of a created container"},
    {"state", state, "output the state of a container"},
    {"update", update, "update resource constraints"},
};

const std::vector<Flag> kGlobalFlags = {{"debug"},         {"log", 0, true},   {"log-format", 0, true},
                                        {"root", 0, true}, {"systemd-cgroup"}, {"rootless", 0, true},
                                        {"help", 'h'},     {"version", 'v'}};

struct Log {
  std::string path;
  bool json = false;
};
Log log_target;

struct LogLine {
  std::string level;
  std::string msg;
  std::string time;
};
void describe(json::Fields& f, LogLine& line) {
  f("level", line.level);
  f("msg", line.msg);
  f("time", line.time);
}

/// One line to the log file, and errors also to standard error, as callers of runc expect both.
void write_log(std::string_view level, const std::string& text) {
  const LogLine line{std::string(level), text,
                     format_rfc3339(std::chrono::floor<std::chrono::seconds>(now()))};
  const auto plain = fmt::format("time={} level={} msg={}\n", quote(line.time), level, quote(text));
  if (!log_target.path.empty()) {
    if (const auto fd = sys::open_file(log_target.path, O_WRONLY | O_APPEND | O_CREAT, 0644))
      (void)sys::write_all(*fd, log_target.json ? json::encode(line) + "\n" : plain);
  }
  if (level == "error" || log_target.path.empty()) (void)!::write(2, plain.data(), plain.size());
}

void print_help() {
  std::cout << "NAME:\n   skiff-runtime - Open Container Initiative runtime\n\nUSAGE:\n   skiff-runtime "
               "[global options] command "
               "[command options] [arguments...]\n\nCOMMANDS:\n";
  for (const auto& command : kCommands) std::cout << fmt::format("   {:<10}{}\n", command.name, command.help);
  std::cout << "\nGLOBAL OPTIONS:\n"
               "   --debug             enable debug logging\n"
               "   --log value         write logs to this file\n"
               "   --log-format value  'text' (default) or 'json'\n"
               "   --root value        directory of container state (default: \"/run/skiff-runtime\")\n"
               "   --help, -h          show help\n"
               "   --version, -v       print the version\n";
}

Result<int> dispatch(const Command& command, const Flags& flags, char** arguments) {
  // containerd's shim passes it on machines with systemd; without talking to systemd we cannot place a cgroup
  // in a slice.
  if (flags.has("systemd-cgroup"))
    return Error(Kind::Unsupported,
                 "--systemd-cgroup: cgroups are made directly, systemd slices are not supported");
  if (command.makes_processes) TRY(sys::protect_own_executable(arguments));
  Global global;
  global.root = flags.get("root", global.root);
  global.debug = flags.has("debug");
  const auto& words = flags.arguments();
  return command.run(global, Words(words.begin() + 1, words.end()));
}

int main(int count, char** arguments) {
  const auto flags = Flags::parse(std::vector<std::string>(arguments + 1, arguments + count), kGlobalFlags);
  if (!flags) {
    write_log("error", flags.error().message());
    return 1;
  }
  log_target = {flags->get("log"), flags->get("log-format") == "json"};
  if (flags->has("version")) {
    std::cout << "skiff-runtime version " << spec::program_version()
              << "\nspec: " << spec::oci::kRuntimeSpecVersion << "\n";
    return 0;
  }
  if (flags->has("help") || flags->arguments().empty() || flags->arguments().front() == "help") {
    print_help();
    return 0;
  }
  const auto& name = flags->arguments().front();
  for (const auto& command : kCommands) {
    if (command.name != name) continue;
    auto result = dispatch(command, *flags, arguments);
    if (result) return *result;
    write_log("error", result.error().message());
    constexpr int kExecFailed = 255;
    return name == "exec" ? kExecFailed : 1;
  }
  write_log("error", fmt::format("no such command: {}", name));
  return 1;
}

}  // namespace

void warn(const std::string& text) { write_log("warning", text); }

}  // namespace skiff::oci

int main(int count, char** arguments) { return skiff::oci::main(count, arguments); }
