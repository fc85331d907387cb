#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "runtime/child.h"
#include "sys/syscalls.h"

namespace skiff::runtime::child {
namespace {

/// "createContainer hook #0: WHAT WHICH", with the errno for the end of the sentence.
[[noreturn]] void fail_hook(const Context& context, const HookStep& hook, int code, const char* what,
                            const char* which) {
  char text[sizeof(Packet::detail)] = {};
  std::snprintf(text, sizeof text, "%s: %s%s", hook.title.c_str(), what, which);
  fail(context, Step::HookSetUp, code, text);
}

/// In the hook's process. What it reports itself comes before what its parent says about its end.
[[noreturn]] void execute_hook(const Context& context, const HookStep& hook, int state) {
  if (::dup2(state, 0) < 0) fail_hook(context, hook, errno, "dup2", "");
  // Where the container's filter refuses it already, only what the caller passes on is not close-on-exec.
  if (sys::raw::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
    for (int fd = 3; fd < 3 + context.process->preserve_fds; ++fd) ::close(fd);
  ::execve(hook.path.c_str(), hook.arguments.array(),
           hook.environment.empty() ? environ : hook.environment.array());
  fail_hook(context, hook, errno, "fork/exec ", hook.path.c_str());
}

enum class HookEnd : std::uint8_t { Status, Timeout };

/// Waits for `pid`; kills it when the time is over. `status` is the wait status, or -1.
HookEnd wait_hook(pid_t pid, int pidfd, const std::optional<int>& timeout_seconds, int& status) {
  auto end = HookEnd::Status;
  if (timeout_seconds) {
    pollfd entry = {pidfd, POLLIN, 0};
    if (::poll(&entry, 1, *timeout_seconds * 1000) == 0) {
      end = HookEnd::Timeout;
      ::kill(pid, SIGKILL);
    }
  }
  status = -1;
  while (::waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) break;
  return end;
}

/// "createContainer hook #0: exit status 1", in a buffer on the stack.
[[noreturn]] void fail_hook(const Context& context, const HookStep& hook, HookEnd end, int status) {
  char text[sizeof(Packet::detail)] = {};
  const char* title = hook.title.c_str();
  if (end == HookEnd::Timeout)
    std::snprintf(text, sizeof text, "%s: hook ran past specified timeout of %d.0s", title,
                  hook.timeout_seconds.value_or(0));
  else if (WIFSIGNALED(status))
    std::snprintf(text, sizeof text, "%s: signal: %d", title, WTERMSIG(status));
  else
    std::snprintf(text, sizeof text, "%s: exit status %d", title, WEXITSTATUS(status));
  fail(context, Step::Hook, ECANCELED, text);
}

}  // namespace

void run_container_hooks(const Context& context, const std::vector<HookStep>& hooks) {
  for (const auto& hook : hooks) {
    const int state = context.plan->hook_state.get();
    // The position in the file is one for all of them.
    if (::lseek(state, 0, SEEK_SET) < 0) fail_hook(context, hook, errno, "lseek", "");
    int pidfd = -1;
    // startContainer hooks run under the container's filter.
    const pid_t pid = sys::raw::fork(&pidfd);
    if (pid < 0) fail_hook(context, hook, errno, "fork", "");
    if (pid == 0) execute_hook(context, hook, state);
    int status = 0;
    const HookEnd end = wait_hook(pid, pidfd, hook.timeout_seconds, status);
    ::close(pidfd);
    if (end == HookEnd::Timeout || status != 0) fail_hook(context, hook, end, status);
  }
}

}  // namespace skiff::runtime::child
