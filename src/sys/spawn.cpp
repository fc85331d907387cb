#include "sys/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>

#include "base/strings.h"
#include "base/undo.h"
#include "sys/file.h"

extern char** environ;

namespace skiff::sys {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> candidates(const SpawnOptions& options) {
  if (!options.search_path || options.program.find('/') != std::string::npos) return {options.program};
  const char* path = std::getenv("PATH");
  std::vector<std::string> result;
  for (const auto& folder :
       split(path != nullptr ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", ':'))
    result.push_back((folder.empty() ? "." : folder) + "/" + options.program);
  return result;
}

/// Everything the child needs, made before it exists: it shares our memory until it execs.
struct ChildPlan {
  std::vector<std::string> programs;
  int image = -1;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  const char* directory = nullptr;
  int standard[3] = {-1, -1, -1};
  std::vector<std::pair<int, int>>
      keep;                 ///< (descriptor, wanted number); the first is replaced by a safe copy
  unsigned first_free = 3;  ///< above every wanted number
  const std::vector<std::pair<std::string, std::string>>* binds = nullptr;
  bool new_session = false;
  bool die_with_parent = false;
  pid_t parent = 0;
  const char* step = "";  ///< what the child was doing when it failed
  int failure = 0;        ///< its errno
};

/// dup2 that also works when both numbers are equal: then only close-on-exec is cleared.
bool place(int from, int to) {
  if (from == to) return fcntl(to, F_SETFD, 0) == 0;
  return dup2(from, to) >= 0;
}

/// Runs in the child, on its own stack but in the parent's memory: no allocation, no locks, ends in execve or
/// _exit.
int child_main(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  const auto give_up = [&plan](const char* step) {
    plan.step = step;
    plan.failure = errno;
    _exit(127);
  };
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal)
    sigaction(signal, &action, nullptr);  // refused for SIGKILL and SIGSTOP
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);

  if (plan.die_with_parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up("prctl");
    if (getppid() != plan.parent) _exit(127);
  }
  if (plan.new_session && setsid() < 0) give_up("setsid");
  if (!plan.binds->empty() && mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0)
    give_up("keep mounts private for");
  for (const auto& [source, target] : *plan.binds)
    if (mount(source.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0)
      give_up("bind mounts for");
  // First out of the way of every wanted number, then into place.
  if (plan.image >= 0 &&
      (plan.image = fcntl(plan.image, F_DUPFD_CLOEXEC, static_cast<int>(plan.first_free))) < 0)
    give_up("duplicate descriptor");
  for (int& fd : plan.standard)
    if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(plan.first_free))) < 0)
      give_up("duplicate descriptor");
  for (auto& [fd, wanted] : plan.keep)
    if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, static_cast<int>(plan.first_free))) < 0)
      give_up("duplicate descriptor");
  for (int i = 0; i < 3; ++i)
    if (!place(plan.standard[i], i)) give_up("place standard stream");
  for (const auto& [fd, wanted] : plan.keep)
    if (!place(fd, wanted)) give_up("place descriptor");
  // The child has its own descriptor table (no CLONE_FILES): the parent's are not touched.
  if (syscall(SYS_close_range, plan.first_free, UINT_MAX, CLOSE_RANGE_CLOEXEC) != 0) give_up("close_range");
  if (plan.directory != nullptr && chdir(plan.directory) != 0) give_up("chdir");
  if (plan.image >= 0) {
    syscall(SYS_execveat, plan.image, "", plan.arguments.data(), plan.environment.data(), AT_EMPTY_PATH);
    give_up("exec");
  }
  int first_error = 0;
  for (const auto& program : plan.programs) {
    execve(program.c_str(), plan.arguments.data(), plan.environment.data());
    if (first_error == 0 || first_error == ENOENT) first_error = errno;
  }
  errno = first_error;
  give_up("exec");
  return 127;
}

}  // namespace

Result<Process> Process::open(pid_t pid) {
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!pidfd) return fail_errno("pidfd_open {}", pid);
  return Process(pid, std::move(pidfd));
}

Result<void> Process::signal(int signal) const {
  if (syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) != 0)
    return fail_errno("signal {} to process {}", signal, pid_);
  return {};
}

Result<int> Process::wait() const {
  for (;;) {
    int status = 0;
    // waitpid and not waitid(P_PIDFD): only it gives the wait status unconverted. The child is not reaped
    // yet, so the pid is ours.
    if (waitpid(pid_, &status, __WALL) == pid_) return status;
    if (errno != EINTR) return fail_errno("wait for process {}", pid_);
  }
}

Result<std::optional<int>> Process::wait_for(std::chrono::milliseconds timeout) const {
  pollfd waiting{pidfd_.get(), POLLIN, 0};
  const int ready = poll(&waiting, 1, static_cast<int>(timeout.count()));
  if (ready < 0 && errno != EINTR) return fail_errno("poll pidfd of {}", pid_);
  if (ready <= 0) return std::optional<int>();
  return std::optional<int>(TRY(wait()));
}

Result<Process> spawn(const SpawnOptions& options) {
  ChildPlan plan;
  plan.programs = candidates(options);
  plan.image = options.image;
  const std::vector<std::string> only_name{options.program};
  plan.arguments = pointers(options.arguments.empty() ? only_name : options.arguments);
  if (options.environment)
    plan.environment = pointers(*options.environment);
  else
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
      plan.environment.push_back(*variable);
  if (!options.environment) plan.environment.push_back(nullptr);
  if (options.directory) plan.directory = options.directory->c_str();

  const Fd null = TRY(open_file("/dev/null", O_RDWR));
  plan.standard[0] = options.standard_input >= 0 ? options.standard_input : null.get();
  plan.standard[1] = options.standard_output >= 0 ? options.standard_output : null.get();
  plan.standard[2] = options.standard_error >= 0 ? options.standard_error : STDERR_FILENO;
  if (plan.standard[2] == STDERR_FILENO && fcntl(STDERR_FILENO, F_GETFD) < 0) plan.standard[2] = null.get();
  plan.keep = options.keep;
  for (const auto& [fd, wanted] : plan.keep)
    plan.first_free = std::max(plan.first_free, static_cast<unsigned>(wanted) + 1);
  plan.binds = &options.binds;
  plan.new_session = options.new_session;
  plan.die_with_parent = options.die_with_parent;
  plan.parent = getpid();

  // No signal handler of ours may run in the child while it shares our memory.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  constexpr std::size_t kStack = 64 << 10;
  std::vector<char> stack(kStack);
  int pidfd = -1;
  const int flags =
      CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | (options.binds.empty() ? 0 : CLONE_NEWNS);
  const int pid = clone(child_main, stack.data() + kStack, flags, &plan, &pidfd);
  const int clone_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return Error::from_errno("clone for " + options.program, clone_error);
  Process process(pid, Fd(pidfd));
  if (plan.failure != 0) {
    TRY(process.wait());
    return Error::from_errno(fmt::format("{} {}", plan.step, options.program), plan.failure);
  }
  return process;
}

Result<Output> run(SpawnOptions options, std::string_view input, std::size_t limit) {
  int ends[3][2];
  std::vector<Fd> ours(3);
  std::vector<Fd> theirs(3);
  for (int i = 0; i < 3; ++i) {
    if (pipe2(ends[i], O_CLOEXEC) != 0) return fail_errno("pipe");
    ours[i] = Fd(ends[i][i == 0 ? 1 : 0]);
    theirs[i] = Fd(ends[i][i == 0 ? 0 : 1]);
    fcntl(ours[i].get(), F_SETFL, O_NONBLOCK);
  }
  options.standard_input = theirs[0].get();
  options.standard_output = theirs[1].get();
  options.standard_error = theirs[2].get();
  const Process process = TRY(spawn(options));
  theirs.clear();
  UndoStack undo;
  undo.add([&] {
    if (process.signal(SIGKILL)) (void)process.wait();
  });

  Output output;
  if (input.empty()) ours[0].reset();
  std::string* sinks[3] = {nullptr, &output.standard_output, &output.standard_error};
  while (ours[0] || ours[1] || ours[2]) {
    pollfd polled[3];
    for (int i = 0; i < 3; ++i) polled[i] = {ours[i].get(), static_cast<short>(i == 0 ? POLLOUT : POLLIN), 0};
    if (poll(polled, 3, -1) < 0 && errno != EINTR) return fail_errno("poll");
    if ((polled[0].revents & (POLLOUT | POLLERR)) != 0) {
      // SIGPIPE is ignored in skiffd; a child that does not read its input is no failure of ours.
      const ssize_t count = ::write(ours[0].get(), input.data(), input.size());
      if (count > 0) input.remove_prefix(static_cast<std::size_t>(count));
      if (input.empty() || (count < 0 && errno != EAGAIN && errno != EINTR)) ours[0].reset();
    }
    for (int i = 1; i < 3; ++i) {
      if ((polled[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
      char buffer[16 << 10];
      const ssize_t count = ::read(ours[i].get(), buffer, sizeof buffer);
      if (count > 0)
        sinks[i]->append(buffer, static_cast<std::size_t>(count));
      else if (count == 0 || (errno != EAGAIN && errno != EINTR))
        ours[i].reset();
      if (sinks[i]->size() > limit)
        return fail(Kind::Exhausted, "{} printed more than {} bytes", options.program, limit);
    }
  }
  output.status = TRY(process.wait());
  undo.dismiss();
  return output;
}

}  // namespace skiff::sys
