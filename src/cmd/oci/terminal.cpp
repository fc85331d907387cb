#include "cmd/oci/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/undo.h"
#include "cmd/oci/commands.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace skiff::oci {
namespace {

/// Copies what is there now; false at the end of the input.
bool relay(int from, int to) {
  char buffer[4096];
  const ssize_t size = ::read(from, buffer, sizeof buffer);
  if (size < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (size <= 0) return false;
  for (ssize_t done = 0; done < size;) {
    const ssize_t written = ::write(to, buffer + done, static_cast<std::size_t>(size - done));
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written > 0) done += written;
  }
  return true;
}

void copy_window_size(int console) {
  winsize size = {};
  if (::ioctl(0, TIOCGWINSZ, &size) == 0) (void)::ioctl(console, TIOCSWINSZ, &size);
}

/// Our own terminal passes every byte through; the undo stack brings it back.
void make_raw(UndoStack& undo) {
  termios before = {};
  if (::tcgetattr(0, &before) != 0) return;
  termios raw = before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(0, TCSANOW, &raw) == 0) undo.add([before] { (void)::tcsetattr(0, TCSANOW, &before); });
}

void forward_signal(const sys::Fd& signals, const sys::Process& process, int console) {
  signalfd_siginfo info = {};
  if (::read(signals.get(), &info, sizeof info) != sizeof info) return;
  const int number = static_cast<int>(info.ssi_signo);
  if (number == SIGCHLD || number == SIGPIPE || number == SIGURG) return;
  if (number == SIGWINCH && console >= 0) return copy_window_size(console);
  (void)process.signal(number);
}

}  // namespace

Result<void> send_to_socket(const std::string& path, const sys::Fd& fd, std::string_view name) {
  const auto socket = TRY(sys::connect_stream(path));
  const int fds[] = {fd.get()};
  if (sys::send_with_fds(socket.get(), name, fds) < 0) return fail_errno("send to {}", path);
  return {};
}

Result<void> check_console(const Flags& flags, bool terminal, bool detached) {
  const bool socket = flags.has("console-socket");
  if (detached && terminal && !socket)
    return Error(Kind::InvalidArgument,
                 "cannot allocate tty if the runtime will detach without setting console socket "
                 "(use --console-socket)");
  if ((!detached || !terminal) && socket)
    return Error(Kind::InvalidArgument,
                 "cannot use console socket if the runtime will not detach or allocate tty");
  return {};
}

void hold_signals() {
  sigset_t all;
  ::sigfillset(&all);
  for (const int own : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTTOU, SIGTTIN}) ::sigdelset(&all, own);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

Result<int> stay_with(const sys::Process& process, const sys::Fd& console, NotifySocket* notify) {
  UndoStack undo;
  sigset_t all;
  ::sigfillset(&all);
  const sys::Fd signals(::signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail_errno("signalfd");
  if (console) {
    make_raw(undo);
    copy_window_size(console.get());
  }
  pollfd entries[5] = {{signals.get(), POLLIN, 0},
                       {process.pidfd().get(), POLLIN, 0},
                       {console ? console.get() : -1, POLLIN, 0},
                       {console ? 0 : -1, POLLIN, 0},
                       {notify ? notify->socket().get() : -1, POLLIN, 0}};
  for (bool ended = false; !ended || entries[2].fd >= 0;) {
    if (::poll(entries, 5, -1) < 0 && errno != EINTR) return fail_errno("poll");
    if (entries[0].revents != 0) forward_signal(signals, process, console.get());
    // Descendants may keep the terminal: after the program's end only what is there already is shown.
    if (entries[2].revents != 0 && !relay(entries[2].fd, 1))
      entries[2].fd = -1;
    else if (ended && entries[2].revents == 0)
      entries[2].fd = -1;
    if (entries[3].revents != 0 && !relay(0, console.get())) entries[3].fd = -1;
    if (entries[4].revents != 0) {
      const auto said = notify->pass_on(::getpid());
      if (!said) warn(said.error().message());
      if (!said || *said) entries[4].fd = -1;
    }
    if (entries[1].revents != 0) ended = true;
  }
  const int status = TRY(process.wait());
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace skiff::oci
