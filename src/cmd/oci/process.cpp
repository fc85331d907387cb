#include <poll.h>
#include <signal.h>
#include <string.h>

#include <algorithm>
#include <iostream>

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
    return fail(Kind::InvalidArgument, "unknown signal {}", quote(text));
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

const std::vector<Flag> kExecFlags = {{"console-socket", 0, true},
                                      {"pidfd-socket", 0, true},
                                      {"cwd", 0, true},
                                      {"env", 'e', true},
                                      {"tty", 't'},
                                      {"user", 'u', true},
                                      {"additional-gids", 'g', true},
                                      {"process", 'p', true},
                                      {"detach", 'd'},
                                      {"pid-file", 0, true},
                                      {"process-label", 0, true},
                                      {"apparmor", 0, true},
                                      {"no-new-privs"},
                                      {"cap", 'c', true},
                                      {"preserve-fds", 0, true},
                                      {"cgroup", 0, true},
                                      {"ignore-paused"}};

Result<void> apply_user(const std::string& text, spec::oci::User& user) {
  const auto [uid, gid] = cut(text, ':');
  const auto number = parse_uint(uid);
  if (!number) return fail(Kind::InvalidArgument, "parsing {} as int for uid failed", quote(uid));
  user.uid = static_cast<std::uint32_t>(*number);
  if (!gid) return {};
  const auto group = parse_uint(*gid);
  if (!group) return fail(Kind::InvalidArgument, "parsing {} as int for gid failed", quote(*gid));
  user.gid = static_cast<std::uint32_t>(*group);
  return {};
}

/// A later "NAME=value" takes the place of an earlier one: programs read the first they find.
void set_variable(std::vector<std::string>& environment, const std::string& variable) {
  const auto name = variable.substr(0, variable.find('=')) + "=";
  std::erase_if(environment, [&](const auto& known) { return known.starts_with(name); });
  environment.push_back(variable);
}

/// The process to run: --process, or the container's own with the command line's changes.
Result<spec::oci::Process> process_to_run(const Flags& flags, const spec::oci::Runtime& config) {
  if (flags.has("process")) {
    auto process = TRY(json::decode<spec::oci::Process>(TRY(sys::read_file(flags.get("process")))));
    return process;
  }
  auto process = config.process.value_or(spec::oci::Process());
  process.args.assign(flags.arguments().begin() + 1, flags.arguments().end());
  if (process.args.empty()) return Error(Kind::InvalidArgument, "process args cannot be empty");
  process.terminal = flags.has("tty");
  process.cwd = flags.get("cwd", process.cwd);
  for (const auto& variable : flags.all("env")) set_variable(process.env, variable);
  if (flags.has("user")) TRY(apply_user(flags.get("user"), process.user));
  for (const auto& gid : flags.all("additional-gids"))
    process.user.additional_gids.push_back(static_cast<std::uint32_t>(parse_uint(gid).value_or(0)));
  if (flags.has("no-new-privs")) process.no_new_privileges = true;
  process.apparmor_profile = flags.get("apparmor", process.apparmor_profile);
  process.selinux_label = flags.get("process-label", process.selinux_label);
  for (const auto& name : flags.all("cap")) {
    if (!process.capabilities) process.capabilities.emplace();
    auto& sets = *process.capabilities;
    for (auto* set : {&sets.bounding, &sets.effective, &sets.permitted}) set->push_back(name);
  }
  return process;
}

Result<int> exec_in(const Flags& flags, const Home& home, const Record& record) {
  const auto config = TRY(home.load_config());
  runtime::ExecOptions options;
  options.process = TRY(process_to_run(flags, config));
  options.streams = {0, 1, 2};
  std::string where = record.cgroup_path;
  if (flags.has("cgroup")) {
    const auto [controller, path] = cut(flags.get("cgroup"), ':');
    // Not the whole path is cleaned: ".." must not lead to somebody else's cgroup.
    where += sys::clean_path("/" + std::string(path ? *path : controller));
  }
  const sys::Cgroup cgroup(TRY(sys::CgroupLayout::detect()), where);
  options.cgroup = &cgroup;
  const std::string cache = home.path() + "/../.seccomp";
  if (config.linux_ && config.linux_->seccomp)
    options.seccomp = TRY(runtime::seccomp_filter(*config.linux_->seccomp, sys::exists(cache) ? cache : ""));
  options.preserve_fds = TRY(preserved_descriptors(flags));
  const bool detached = flags.has("detach");
  if (detached && options.process.terminal && !flags.has("console-socket"))
    return Error(Kind::InvalidArgument,
                 "cannot allocate tty if runc will detach without setting console socket");
  if (!detached) hold_signals();
  auto executed = TRY(runtime::exec(TRY(process_of(record)), options));
  for (const auto& warning : options.warnings) warn(warning);
  if (flags.has("pid-file"))
    TRY(sys::replace_file(flags.get("pid-file"), std::to_string(executed.process.pid()), 0644));
  if (flags.has("pidfd-socket"))
    TRY(send_to_socket(flags.get("pidfd-socket"), executed.process.pidfd(), "pidfd"));
  if (flags.has("console-socket")) {
    TRY(send_to_socket(flags.get("console-socket"), executed.console, "/dev/ptmx"));
    executed.console.reset();
  }
  if (detached) return 0;
  return stay_with(executed.process, executed.console);
}

}  // namespace

Result<int> kill(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, {{"all", 'a'}}));
  const auto& arguments = flags.arguments();
  if (arguments.empty() || arguments.size() > 2)
    return Error(Kind::InvalidArgument, "a container's id and perhaps a signal are wanted");
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

Result<int> exec(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, kExecFlags));
  if (flags.arguments().empty()) return Error(Kind::InvalidArgument, "a container's id is wanted");
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  const auto status = status_of(home, record);
  if (status == Status::Stopped) return Error(Kind::Conflict, "cannot exec in a stopped container");
  if (status == Status::Paused && !flags.has("ignore-paused"))
    return Error(Kind::Conflict, "cannot exec in a paused container (use --ignore-paused to override)");
  return exec_in(flags, home, record);
}

Result<int> ps(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, {{"format", 'f', true}}));
  if (flags.arguments().empty()) return Error(Kind::InvalidArgument, "a container's id is wanted");
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  const auto pids = TRY(TRY(cgroup_of(record)).processes());
  if (flags.get("format", "table") == "json") {
    std::string text;
    for (const auto pid : pids) text += fmt::format("{}{}", text.empty() ? "" : ",", pid);
    std::cout << "[" << text << "]\n";
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
  std::cout << lines.front() << "\n";
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const auto parts = words_of(lines[i]);
    if (column >= parts.size()) continue;
    if (std::binary_search(pids.begin(), pids.end(),
                           static_cast<pid_t>(parse_int(parts[column]).value_or(-1))))
      std::cout << lines[i] << "\n";
  }
  return 0;
}

}  // namespace skiff::oci
