#include "runtime/init.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "sys/syscalls.h"

namespace skiff::runtime {
namespace {

/// Signals that tell about this very process, not about what somebody wants of the program.
constexpr int kOwnSignals[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};

sigset_t forwarded_signals() {
  sigset_t set;
  ::sigfillset(&set);
  for (const int number : kOwnSignals) ::sigdelset(&set, number);
  return set;
}

/// Reaps everything that has ended. Ends this process when the program itself was among it.
void reap(pid_t program) {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != program) continue;
    ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
  }
}

}  // namespace

int split_off_program() {
  const sigset_t signals = forwarded_signals();
  sigset_t before;
  ::sigprocmask(SIG_SETMASK, &signals, &before);
  const pid_t program = sys::raw::fork();
  if (program < 0) return errno;
  if (program == 0) {
    // A group of its own in the foreground, so that the terminal's signals reach the program and not us.
    ::setpgid(0, 0);
    if (::isatty(0)) {
      ::signal(SIGTTOU, SIG_IGN);
      const pid_t group = ::getpid();
      ::ioctl(0, TIOCSPGRP, &group);
      ::signal(SIGTTOU, SIG_DFL);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return 0;
  }
  // The streams and the handshake belong to the program alone: their ends must show when it ends.
  sys::raw::close_range(0, ~0U, 0);
  for (;;) {
    siginfo_t info = {};
    const int number = ::sigwaitinfo(&signals, &info);
    if (number < 0) continue;
    if (number != SIGCHLD) ::kill(program, number);
    reap(program);
  }
}

}  // namespace skiff::runtime
