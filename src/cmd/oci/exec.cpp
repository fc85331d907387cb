#include <signal.h>

#include <algorithm>

#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/record.h"
#include "cmd/oci/terminal.h"
#include "runtime/container.h"
#include "runtime/seccomp.h"
#include "sys/capabilities.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::oci {
namespace {

Result<std::uint32_t> id_of(std::string_view text, std::string_view what) {
  const auto number = parse_uint(text);
  if (!number || *number > UINT32_MAX)
    return fail(Kind::InvalidArgument, "bad {}: strconv.Atoi: parsing {}: invalid syntax", what, quote(text));
  return static_cast<std::uint32_t>(*number);
}

Result<void> apply_user(const Flags& flags, spec::oci::User& user) {
  if (const auto text = flags.get("user"); !text.empty()) {
    const auto [uid, gid] = cut(text, ':');
    if (gid) user.gid = TRY(id_of(*gid, "gid"));
    user.uid = TRY(id_of(uid, "uid"));
  }
  for (const auto& gid : flags.all("additional-gids")) {
    if (gid.starts_with('-'))
      return fail(Kind::InvalidArgument, "additional-gids must be a positive number {}", gid);
    user.additional_gids.push_back(TRY(id_of(gid, "additional gid")));
  }
  return {};
}

/// A later "NAME=value" takes the place of an earlier one: programs read the first they find.
void set_variable(std::vector<std::string>& environment, const std::string& variable) {
  const auto name = variable.substr(0, variable.find('=')) + "=";
  std::erase_if(environment, [&](const auto& known) { return known.starts_with(name); });
  environment.push_back(variable);
}

/// As with runc: into the sets of the process, and ambient too where the container has ambient ones, so that
/// another user keeps it.
void add_capabilities(const Flags& flags, spec::oci::Process& process) {
  for (const auto& name : flags.all("cap")) {
    if (!process.capabilities) process.capabilities.emplace();
    auto& sets = *process.capabilities;
    for (auto* set : {&sets.bounding, &sets.effective, &sets.permitted}) set->push_back(name);
    if (!sets.inheritable.empty() && !sets.ambient.empty()) {
      sets.inheritable.push_back(name);
      sets.ambient.push_back(name);
    }
    if (!sys::capability_number(name))
      warn(fmt::format("ignoring unknown or unavailable capabilities: [{}]", name));
  }
}

/// The process to run: --process, or the container's own with the command line's changes.
Result<spec::oci::Process> process_to_run(const Flags& flags, const spec::oci::Runtime& config) {
  if (flags.has("process")) {
    const auto text = TRY(sys::read_file(flags.get("process")));
    spec::oci::Process process;
    process.cwd.clear();
    TRY(json::decode_into(TRY(json::parse(text)), process));
    TRY(spec::oci::validate(process));
    return process;
  }
  auto process = config.process.value_or(spec::oci::Process());
  process.args.assign(flags.arguments().begin() + 1, flags.arguments().end());
  if (process.args.empty()) return Error(Kind::InvalidArgument, "exec args cannot be empty");
  process.terminal = flags.has("tty");
  process.cwd = flags.get("cwd", process.cwd);
  for (const auto& variable : flags.all("env")) set_variable(process.env, variable);
  TRY(apply_user(flags, process.user));
  if (flags.has("no-new-privs")) process.no_new_privileges = true;
  process.apparmor_profile = flags.get("apparmor", process.apparmor_profile);
  process.selinux_label = flags.get("process-label", process.selinux_label);
  add_capabilities(flags, process);
  TRY(spec::oci::validate(process));
  return process;
}

/// An ordinary user's container has a cgroup only in the hierarchies that let him make one.
void drop_missing(std::vector<sys::CgroupHierarchy>& hierarchies, const Record& record) {
  std::erase_if(hierarchies, [&](const auto& hierarchy) {
    return !sys::exists(hierarchy.root + "/" + record.cgroup_path);
  });
}

/// "/PATH", or "" for the container's own; ".." must not lead to somebody else's.
Result<std::string> path_below(std::string_view wish) {
  const auto path = sys::clean_path(wish.substr(std::min(wish.find_first_not_of('/'), wish.size())));
  if (path == ".." || path.starts_with("../"))
    return fail(Kind::InvalidArgument, "unable to create new parent process: {} is not a sub cgroup path",
                wish);
  return path == "." ? "" : "/" + path;
}

/// The container's cgroup, or as --cgroup says one below it: of every hierarchy ("path"), or of those with
/// the controllers named ("cpu,memory:path").
Result<sys::Cgroup> cgroup_for(const Flags& flags, const Record& record) {
  auto hierarchies = TRY(cgroup_layout()).hierarchies();
  drop_missing(hierarchies, record);
  std::vector<std::string> below(hierarchies.size());
  for (const auto& wish : flags.all("cgroup")) {
    const auto [first, second] = cut(wish, ':');
    const auto path = TRY(path_below(second.value_or(first)));
    if (!second) std::fill(below.begin(), below.end(), path);
    for (const auto& controller : second ? split(first, ',') : std::vector<std::string>()) {
      const auto found = std::find_if(hierarchies.begin(), hierarchies.end(), [&](const auto& hierarchy) {
        const auto& list = hierarchy.controllers;
        return hierarchy.name == controller || std::find(list.begin(), list.end(), controller) != list.end();
      });
      if (found == hierarchies.end())
        return fail(Kind::InvalidArgument, "cgroup {}: there is no controller {}", quote(wish), controller);
      below[static_cast<std::size_t>(found - hierarchies.begin())] = path;
    }
  }
  for (std::size_t i = 0; i < hierarchies.size(); ++i)
    hierarchies[i].root += "/" + record.cgroup_path + below[i];
  return sys::Cgroup(sys::CgroupLayout(std::move(hierarchies)), "");
}

Error starting_error(Error error) {
  const auto kind = error.kind();
  if (kind == Kind::InvalidArgument || kind == Kind::Unsupported || kind == Kind::Conflict) return error;
  return error.with_context("unable to start container process");
}

/// Tells the caller about the process in every way it asked for.
Result<void> announce(const Flags& flags, runtime::Executed& executed) {
  if (flags.has("pid-file"))
    TRY(sys::replace_file(flags.get("pid-file"), std::to_string(executed.process.pid()), 0644));
  if (flags.has("pidfd-socket"))
    TRY(send_to_socket(flags.get("pidfd-socket"), executed.process.pidfd(), "pidfd"));
  if (flags.has("console-socket")) {
    TRY(send_to_socket(flags.get("console-socket"), executed.console, "/dev/ptmx"));
    executed.console.reset();
  }
  return {};
}

Result<int> exec_in(const Flags& flags, const Home& home, const Record& record) {
  const auto config = TRY(home.load_config());
  const bool detached = flags.has("detach");
  runtime::ExecOptions options;
  options.process = TRY(process_to_run(flags, config));
  TRY(check_console(flags, options.process.terminal, detached));
  options.streams = {0, 1, 2};
  options.keep_groups = runtime::keeps_groups(config);
  const auto cgroup = TRY(cgroup_for(flags, record));
  options.cgroup = &cgroup;
  const std::string cache = home.path() + "/../.seccomp";
  if (config.linux_ && config.linux_->seccomp)
    options.seccomp = TRY(runtime::seccomp_filter(*config.linux_->seccomp, sys::exists(cache) ? cache : ""));
  options.preserve_fds = TRY(preserved_descriptors(flags));
  if (!detached) hold_signals();
  auto started = runtime::exec(TRY(process_of(record)), options);
  for (const auto& warning : options.warnings) warn(warning);
  if (!started) return starting_error(std::move(started).error());
  auto executed = std::move(*started);
  debug(fmt::format("container {}: process {}", home.id(), executed.process.pid()));
  if (auto told = announce(flags, executed); !told) {
    (void)executed.process.signal(SIGKILL);
    (void)executed.process.wait();
    return std::move(told).error();
  }
  if (detached) return 0;
  return stay_with(executed.process, executed.console);
}

}  // namespace

Result<int> exec(const Global& global, const Flags& flags) {
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  const auto status = status_of(home, record);
  if (status == Status::Stopped) return Error(Kind::Conflict, "cannot exec in a stopped container");
  if (status == Status::Paused && !flags.has("ignore-paused"))
    return Error(Kind::Conflict, "cannot exec in a paused container (use --ignore-paused to override)");
  return exec_in(flags, home, record);
}

}  // namespace skiff::oci
