#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include <algorithm>

#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/flags.h"
#include "cmd/oci/record.h"
#include "cmd/oci/terminal.h"
#include "runtime/container.h"
#include "runtime/seccomp.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::oci {
namespace {

constexpr std::pair<std::string_view, int> kSignals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT},     {"ILL", SIGILL},   {"TRAP", SIGTRAP},
    {"ABRT", SIGABRT}, {"IOT", SIGIOT},       {"BUS", SIGBUS},       {"FPE", SIGFPE},   {"KILL", SIGKILL},
    {"USR1", SIGUSR1}, {"SEGV", SIGSEGV},     {"USR2", SIGUSR2},     {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},
    {"TERM", SIGTERM}, {"STKFLT", SIGSTKFLT}, {"CHLD", SIGCHLD},     {"CLD", SIGCHLD},  {"CONT", SIGCONT},
    {"STOP", SIGSTOP}, {"TSTP", SIGTSTP},     {"TTIN", SIGTTIN},     {"TTOU", SIGTTOU}, {"URG", SIGURG},
    {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},     {"VTALRM", SIGVTALRM}, {"PROF", SIGPROF}, {"WINCH", SIGWINCH},
    {"IO", SIGIO},     {"POLL", SIGIO},       {"PWR", SIGPWR},       {"SYS", SIGSYS}};

Result<int> signal_number(const std::string& text) {
  if (const auto number = parse_int(text)) {
    if (*number >= 0 && *number < NSIG) return static_cast<int>(*number);
    return Error(Kind::InvalidArgument, "unable to signal init: invalid argument");
  }
  auto name = to_upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  for (const auto& [known, number] : kSignals)
    if (known == name) return number;
  const auto offset = [&](std::string_view prefix) {
    return parse_int(std::string_view(name).substr(std::min(prefix.size(), name.size())));
  };
  if (name.starts_with("RTMIN")) return static_cast<int>(SIGRTMIN + offset("RTMIN+").value_or(0));
  if (name.starts_with("RTMAX")) return static_cast<int>(SIGRTMAX - offset("RTMAX-").value_or(0));
  return fail(Kind::InvalidArgument, "unknown signal {}", quote(text));
}

}  // namespace

Result<int> kill(const Global& global, const Flags& flags) {
  const auto& arguments = flags.arguments();
  const Home home(global.root, arguments.front());
  const auto record = TRY(home.load());
  const int number = TRY(signal_number(arguments.size() == 2 ? arguments[1] : "SIGTERM"));
  if (flags.has("all")) {
    TRY(TRY(cgroup_of(record)).signal_all(number));
    return 0;
  }
  auto process = process_of(record);
  if (!process) {
    // Without a pid namespace of its own, others may live on in the cgroup when the first process is gone.
    const auto cgroup = TRY(cgroup_of(record));
    const auto left = cgroup.processes();
    if (number != SIGKILL || !left || left->empty()) return std::move(process).error();
    TRY(cgroup.signal_all(number));
    return 0;
  }
  if (auto sent = process->signal(number); !sent) {
    if (sent.error().kind() == Kind::NotFound) return Error(Kind::NotFound, "container not running");
    return std::move(sent).error();
  }
  // A frozen process dies only when it is let run.
  if (number == SIGKILL)
    if (const auto cgroup = cgroup_of(record))
      if (const auto frozen = cgroup->frozen(); frozen && *frozen) TRY(cgroup->freeze(false));
  return 0;
}

Result<int> ps(const Global& global, const Flags& flags) {
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  const auto format = flags.get("format", "table");
  if (format != "table" && format != "json") return Error(Kind::InvalidArgument, "invalid format option");
  const auto pids = TRY(TRY(cgroup_of(record)).processes());
  if (format == "json") {
    std::string text;
    for (const auto pid : pids) text += fmt::format("{}{}", text.empty() ? "" : ",", pid);
    TRY(print("[" + text + "]\n"));
    return 0;
  }
  std::vector<std::string> arguments = {"ps"};
  if (flags.arguments().size() > 1)
    arguments.insert(arguments.end(), flags.arguments().begin() + 1, flags.arguments().end());
  else
    arguments.emplace_back("-ef");
  sys::SpawnOptions options;
  options.program = "ps";
  options.search_path = true;
  options.arguments = arguments;
  const auto output = TRY(sys::run(options));
  if (output.status != 0)
    return fail(Kind::InvalidArgument, "ps: exit status {}: {}", WEXITSTATUS(output.status),
                trim(output.standard_error));
  const auto lines = split(output.standard_output, '\n');
  const auto words_of = [](const std::string& line) {
    std::vector<std::string> parts;
    for (auto& part : split(line, ' '))
      if (!part.empty()) parts.push_back(std::move(part));
    return parts;
  };
  const auto header = words_of(lines.front());
  const auto column =
      static_cast<std::size_t>(std::find(header.begin(), header.end(), "PID") - header.begin());
  if (column == header.size()) return Error(Kind::InvalidArgument, "couldn't find PID field in ps output");
  std::string shown = lines.front() + "\n";
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto parts = words_of(lines[i]);
    if (column >= parts.size()) continue;
    if (std::binary_search(pids.begin(), pids.end(),
                           static_cast<pid_t>(parse_int(parts[column]).value_or(-1))))
      shown += lines[i] + "\n";
  }
  TRY(print(shown));
  return 0;
}

}  // namespace skiff::oci
