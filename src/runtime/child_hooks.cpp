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

constexpr int kCannotExecute = 127;

[[noreturn]] void execute_hook(const HookStep& hook, int state) {
  if (::dup2(state, 0) < 0) ::_exit(kCannotExecute);
  ::syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC);
  ::execve(hook.path.c_str(), hook.arguments.array(),
           hook.environment.empty() ? environ : hook.environment.array());
  ::_exit(kCannotExecute);
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
  else if (WEXITSTATUS(status) == kCannotExecute)
    std::snprintf(text, sizeof text, "%s: %s cannot be executed", title, hook.path.c_str());
  else
    std::snprintf(text, sizeof text, "%s: exit status %d", title, WEXITSTATUS(status));
  fail(context, Step::Hook, ECANCELED, text);
}

[[noreturn]] void fail_hook(const Context& context, const HookStep& hook, int code) {
  char text[sizeof(Packet::detail)] = {};
  std::snprintf(text, sizeof text, "%s: errno %d", hook.title.c_str(), code);
  fail(context, Step::Hook, code, text);
}

}  // namespace

void run_container_hooks(const Context& context, const std::vector<HookStep>& hooks) {
  for (const auto& hook : hooks) {
    const int state = context.plan->hook_state.get();
    // The position in the file is one for all of them.
    if (::lseek(state, 0, SEEK_SET) < 0) fail_hook(context, hook, errno);
    int pidfd = -1;
    // startContainer hooks run under the container's filter.
    const pid_t pid = sys::raw::fork(&pidfd);
    if (pid < 0) fail_hook(context, hook, errno);
    if (pid == 0) execute_hook(hook, state);
    int status = 0;
    const HookEnd end = wait_hook(pid, pidfd, hook.timeout_seconds, status);
    ::close(pidfd);
    if (end == HookEnd::Timeout || status != 0) fail_hook(context, hook, end, status);
  }
}

}  // namespace skiff::runtime::child
