#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/child.h"
#include "sys/syscalls.h"

namespace skiff::runtime::child {
namespace {

[[noreturn]] void execute_hook(const HookStep& hook, int state) {
  if (::dup2(state, 0) < 0) ::_exit(127);
  ::syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(hook.path.c_str(), hook.arguments.array(),
           hook.environment.empty() ? environ : hook.environment.array());
  ::_exit(127);
}

/// Waits for `pid`; kills it when the time is over. The wait status, or -1.
int wait_hook(pid_t pid, int pidfd, const std::optional<int>& timeout_seconds) {
  if (timeout_seconds) {
    pollfd entry = {pidfd, POLLIN, 0};
    if (::poll(&entry, 1, *timeout_seconds * 1000) == 0) ::kill(pid, SIGKILL);
  }
  int status = -1;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return status;
}

}  // namespace

void run_container_hooks(const Context& context, const std::vector<HookStep>& hooks) {
  for (const auto& hook : hooks) {
    const int state = context.plan->hook_state.get();
    // The position in the file is one for all of them.
    if (::lseek(state, 0, SEEK_SET) < 0) fail(context, Step::Hook, errno, hook.path.c_str());
    int pidfd = -1;
    // startContainer hooks run under the container's filter.
    const pid_t pid = sys::raw::fork(&pidfd);
    if (pid < 0) fail(context, Step::Hook, errno, hook.path.c_str());
    if (pid == 0) execute_hook(hook, state);
    const int status = wait_hook(pid, pidfd, hook.timeout_seconds);
    ::close(pidfd);
    if (status != 0) fail(context, Step::Hook, ECANCELED, hook.path.c_str());
  }
}

}  // namespace skiff::runtime::child
