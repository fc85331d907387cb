#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "runtime/child.h"
#include "runtime/init.h"
#include "sys/syscalls.h"

namespace skiff::runtime::child {
namespace {

/// Writes `text` to a file of our own below the host's /proc (CVE-2025-52881: never through the container's).
int write_proc(const Context& context, const char* path, const std::string& text) {
  const int fd = sys::raw::openat2(context.procfs, path, O_WRONLY, 0,
                                   RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
  if (fd < 0) return errno;
  const int code = ::write(fd, text.data(), text.size()) < 0 ? errno : 0;
  ::close(fd);
  return code;
}

/// Closes what the runtime holds, for good: close-on-exec comes too late for the working directory, for the
/// program's own path and for its interpreter's, which all may lead through /proc/self/fd of an open
/// directory to the host (CVE-2024-21626). What remains is what the caller passes on, and, close-on-exec,
/// sockets, fifos and a file in memory. Called before the container's filter is loaded, which may refuse
/// close_range(2): it is younger than many a profile.
void close_what_leads_out(Context& context) {
  const Plan* plan = context.plan;
  int kept[] = {context.socket, context.report, plan ? plan->start_fd : -1, plan ? plan->report_fd : -1,
                plan ? plan->hook_state.get() : -1};
  std::sort(std::begin(kept), std::end(kept));
  auto first = static_cast<unsigned>(3 + context.process->preserve_fds);
  for (const int fd : kept) {
    if (fd < static_cast<int>(first)) continue;
    const auto number = static_cast<unsigned>(fd);
    if (number > first && sys::raw::close_range(first, number - 1, 0) != 0)
      fail(context, Step::Streams, errno, "close what is not passed on");
    first = number + 1;
  }
  if (sys::raw::close_range(first, ~0U, 0) != 0 ||
      sys::raw::close_range(static_cast<unsigned>(3 + context.process->preserve_fds), ~0U,
                            CLOSE_RANGE_CLOEXEC) != 0)
    fail(context, Step::Streams, errno, "close what is not passed on");
  context.procfs = context.console = -1;
}

/// Born with it (OomScoreForNow).
bool has_oom_score(const Context& context) {
  const std::string& wanted = context.process->oom_score;
  char text[16] = {};
  const int fd = ::openat(context.procfs, "self/oom_score_adj", O_RDONLY | O_CLOEXEC);
  const ssize_t size = fd >= 0 ? ::read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0) ::close(fd);
  return size == static_cast<ssize_t>(wanted.size()) + 1 &&
         wanted.compare(0, wanted.size(), text, wanted.size()) == 0;
}

void set_limits(const Context& context) {
  for (const auto& limit : context.process->rlimits) {
    rlimit wanted = {limit.soft, limit.hard};
    if (::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &wanted) == 0) continue;
    const int code = errno;
    if (code != EPERM) fail(context, Step::Rlimit, code, limit.name.c_str());
    // Without CAP_SYS_RESOURCE the hard limit cannot be raised: as near as allowed, and a warning.
    rlimit current = {};
    ::getrlimit(static_cast<__rlimit_resource_t>(limit.resource), &current);
    wanted.rlim_max = std::min<rlim_t>(wanted.rlim_max, current.rlim_max);
    wanted.rlim_cur = std::min<rlim_t>(wanted.rlim_cur, wanted.rlim_max);
    ::setrlimit(static_cast<__rlimit_resource_t>(limit.resource), &wanted);
    warn(context, Step::Rlimit, code, limit.name.c_str());
  }
}

void set_scheduling(const Context& context) {
  const ProcessPlan& process = *context.process;
  constexpr int kWhoProcess = 1;
  if (process.io_priority && ::syscall(SYS_ioprio_set, kWhoProcess, 0, *process.io_priority) != 0)
    fail(context, Step::Scheduler, errno, "I/O priority");
  if (process.scheduler) {
    // struct sched_attr of sched_setattr(2), which glibc 2.36 does not declare.
    struct {
      std::uint32_t size, policy;
      std::uint64_t flags;
      std::int32_t nice;
      std::uint32_t priority;
      std::uint64_t runtime, deadline, period;
    } attributes = {};
    attributes.size = sizeof attributes;
    attributes.policy = static_cast<std::uint32_t>(process.scheduler_policy);
    attributes.flags = process.scheduler_flags;
    attributes.nice = process.scheduler->nice;
    attributes.priority = static_cast<std::uint32_t>(process.scheduler->priority);
    attributes.runtime = process.scheduler->runtime;
    attributes.deadline = process.scheduler->deadline;
    attributes.period = process.scheduler->period;
    if (::syscall(SYS_sched_setattr, 0, &attributes, 0) != 0)
      fail(context, Step::Scheduler, errno, process.scheduler->policy.c_str());
  }
  if (process.personality && ::personality(*process.personality) < 0) fail(context, Step::Personality, errno);
}

/// 0 or an errno. The kernel says "(unreachable)" about a directory outside our root: a leaked descriptor of
/// the host would be the way there (CVE-2024-21626).
int check_inside_root() {
  char path[4096];
  if (::syscall(SYS_getcwd, path, sizeof path) <= 0) return errno;
  return path[0] == '/' ? 0 : EXDEV;
}

/// False when it was refused and `may_fail`: the user may have rights that we have not (a network file
/// system), so it is tried again after the change of user.
bool enter_working_directory(const Context& context, bool may_fail) {
  const char* cwd = context.process->cwd.c_str();
  if (::chdir(cwd) != 0) {
    if (may_fail && errno == EACCES) return false;
    fail(context, Step::WorkingDirectory, errno, cwd);
  }
  if (const int code = check_inside_root()) fail(context, Step::WorkingDirectory, code, cwd);
  return true;
}

void load_seccomp(const Context& context) {
  const SeccompFilter& filter = context.process->seccomp;
  if (filter.program.empty()) return;
  sock_fprog program = {};
  program.len = static_cast<unsigned short>(filter.program.size());
  program.filter = const_cast<sock_filter*>(filter.program.data());
  const unsigned listen = filter.listener ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, filter.flags | listen, &program);
  if (result < 0) fail(context, Step::Seccomp, errno);
  if (listen != 0) {
    hand_over(context, Message::SeccompListener, static_cast<int>(result));
    ::close(static_cast<int>(result));
  }
}

void change_user(const Context& context) {
  const ProcessPlan& process = *context.process;
  if (!process.keep_groups && ::setgroups(process.groups.size(), process.groups.data()) != 0 &&
      !(errno == EPERM && process.user_namespace && process.groups.empty()))
    fail(context, Step::Groups, errno);
  if (::setresgid(process.gid, process.gid, process.gid) != 0) fail(context, Step::User, errno, "gid");
  if (::setresuid(process.uid, process.uid, process.uid) != 0) fail(context, Step::User, errno, "uid");
}

void drop_rights(const Context& context, bool in_working_directory) {
  const ProcessPlan& process = *context.process;
  const sys::CapabilitySets& sets = process.capabilities;
  if (const int code = sys::drop_bounding(sets.bounding, process.last_capability))
    fail(context, Step::Capabilities, code, "bounding");
  if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) fail(context, Step::Capabilities, errno, "keep them");
  change_user(context);
  ::prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0);
  if (!in_working_directory) enter_working_directory(context, false);
  if (const int code = sys::set_capabilities(sets.effective, sets.permitted, sets.inheritable))
    fail(context, Step::Capabilities, code);
  if (const int code = sys::set_ambient(sets.ambient)) fail(context, Step::Capabilities, code, "ambient");
}

/// Whether the calling user may execute `path`: 0, or an errno; EISDIR for directories.
int check_executable(const char* path) {
  struct stat info = {};
  if (::stat(path, &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  return ::access(path, X_OK) == 0 ? 0 : EACCES;
}

struct Verdict {
  Step step = Step::Execute;
  int code = 0;
};

/// Finds the program as Go's exec.LookPath does, which is where the messages come from.
Verdict find_program(const Context& context, PathBuffer& found) {
  const char* name = context.process->arguments.strings().front().c_str();
  if (std::strchr(name, '/')) {
    const int code = found.set(name) ? check_executable(name) : errno;
    if (code == EISDIR) return {Step::ProgramIsDirectory, code};
    if (code == EACCES) {
      struct stat info = {};
      return {::stat(name, &info) == 0 ? Step::ProgramDenied : Step::ProgramStat, code};
    }
    return {Step::ProgramStat, code};
  }
  const char* rest = context.process->search_path.c_str();
  while (*name != '\0' && context.process->has_search_path) {
    const char* end = std::strchr(rest, ':');
    const std::size_t size = end ? static_cast<std::size_t>(end - rest) : std::strlen(rest);
    char directory[4096];
    if (size < sizeof directory) {
      std::memcpy(directory, rest, size);
      directory[size] = '\0';
      if (found.set(size == 0 ? "." : directory, "/", name) && check_executable(found.text) == 0) return {};
    }
    if (!end) break;
    rest = end + 1;
  }
  return {Step::ProgramNotFound, ENOENT};
}

void report_ready(const Context& context, const Verdict& verdict) {
  Packet packet;
  packet.message = Message::Ready;
  packet.step = verdict.step;
  packet.code = verdict.code;
  std::strncpy(packet.detail, context.process->arguments.strings().front().c_str(), sizeof packet.detail - 1);
  if (::write(context.socket, &packet, sizeof packet) < 0) ::_exit(1);
}

void await_start(Context& context) {
  const Plan* plan = context.plan;
  if (!plan || plan->start_fd < 0) return expect(context, Message::Start);
  // `create` has ended: its socket goes, and a later `start` writes to the fifo.
  ::close(context.socket);
  context.socket = context.report = plan->report_fd;
  char byte = 0;
  ssize_t size = 0;
  do size = ::read(plan->start_fd, &byte, 1);
  while (size < 0 && errno == EINTR);
  if (size < 0) fail(context, Step::Handshake, errno, "read from the parent");
  if (size != 1) ::_exit(1);
}

/// HOME from the container's own passwd file when nobody gave one, as runc does. The value is written over a
/// place that the plan keeps at the end of the environment.
void complete_home(const Context& context) {
  constexpr std::string_view kPlace = "HOME=";
  const auto& environment = context.process->environment.strings();
  if (environment.empty() || environment.back().size() != kHomeSpace) return;
  char* home = const_cast<char*>(environment.back().data()) + kPlace.size();
  static char passwd[64 << 10];
  const int fd = ::open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  const ssize_t size = fd >= 0 ? ::read(fd, passwd, sizeof passwd - 1) : 0;
  if (fd >= 0) ::close(fd);
  passwd[size > 0 ? size : 0] = '\0';
  for (const char* line = passwd; line && *line != '\0';
       line = std::strchr(line, '\n'), line += line ? 1 : 0) {
    const char* fields[6] = {line};  // name:password:uid:gid:comment:home:shell
    int count = 1;
    for (const char* at = line; *at != '\0' && *at != '\n' && count < 6; ++at)
      if (*at == ':') fields[count++] = at + 1;
    if (count < 6 || std::strtoul(fields[2], nullptr, 10) != context.process->uid || fields[2][0] == ':')
      continue;
    const std::size_t length = std::strcspn(fields[5], ":\n");
    if (length == 0 || length + kPlace.size() >= kHomeSpace) return;
    std::memcpy(home, fields[5], length);
    home[length] = '\0';
    return;
  }
}

}  // namespace

void become(Context& context) {
  const ProcessPlan& process = *context.process;
  take_streams(context);
  if (process.new_keyring) (void)::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
  if (!process.oom_score.empty() && !has_oom_score(context))
    if (const int code = write_proc(context, "self/oom_score_adj", process.oom_score)) {
      // Lowering needs CAP_SYS_RESOURCE of the host: refused is a warning for the unprivileged.
      if (code != EACCES && code != EPERM) fail(context, Step::OomScore, code);
      warn(context, Step::OomScore, code);
    }
  if (!process.label.empty())
    if (const int code = write_proc(context, process.label_file.c_str(), process.label))
      fail(context, Step::Label, code, process.label.c_str());
  set_limits(context);
  set_scheduling(context);
  if (process.final_cpus && !context.plan &&
      ::sched_setaffinity(0, sizeof(cpu_set_t), &*process.final_cpus) != 0)
    fail(context, Step::Scheduler, errno, "final CPU affinity");
  close_what_leads_out(context);
  complete_home(context);
  if (process.umask) ::umask(*process.umask);
  const bool entered = enter_working_directory(context, true);
  // Without no_new_privs the kernel asks for CAP_SYS_ADMIN to load a filter, so it must come before the
  // rights go.
  if (!process.no_new_privileges) load_seccomp(context);
  drop_rights(context, entered);
  if (process.no_new_privileges) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail(context, Step::NoNewPrivileges, errno);
    load_seccomp(context);
  }
}

void execute(Context& context, bool wait) {
  const ProcessPlan& process = *context.process;
  PathBuffer program;
  const char* name = process.arguments.strings().front().c_str();
  Verdict verdict = find_program(context, program);
  if (wait) {
    report_ready(context, verdict);
    await_start(context);
    run_container_hooks(context, context.plan->start_container);
    if (process.init) {
      if (const int code = split_off_program())
        fail(context, Step::Execute, code, "fork under the init process");
    }
  }
  if (verdict.code == 0) ::execve(program.text, process.arguments.array(), process.environment.array());
  // Since Ready time has passed, and hooks have run: it may have come or gone.
  verdict = find_program(context, program);
  if (verdict.code != 0) fail(context, verdict.step, verdict.code, name);
  ::execve(program.text, process.arguments.array(), process.environment.array());
  fail(context, Step::Execute, errno, program.text);
}

}  // namespace skiff::runtime::child
