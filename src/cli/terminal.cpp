#include "cli/terminal.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace skiff::cli {

void RawTerminal::enter() {
  termios now{};
  if (::tcgetattr(0, &now) != 0) return;
  saved_ = now;
  ::cfmakeraw(&now);
  now.c_cc[VMIN] = 1;
  now.c_cc[VTIME] = 0;
  ::tcsetattr(0, TCSANOW, &now);
}

void RawTerminal::restore() {
  if (saved_) ::tcsetattr(0, TCSANOW, &*saved_);
  saved_.reset();
}

namespace {

constexpr int kEnding[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
termios as_it_was{};  ///< for the handler

/// Both calls are safe in a handler (signal-safety(7)); the signal comes again when this returns.
void put_back(int signal) {
  ::tcsetattr(0, TCSANOW, &as_it_was);
  [[maybe_unused]] const auto written = ::write(1, "\n", 1);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

}  // namespace

HiddenInput::HiddenInput() {
  termios now{};
  if (::tcgetattr(0, &now) != 0) return;
  saved_ = now;
  as_it_was = now;
  for (const int signal : kEnding) ::signal(signal, put_back);
  now.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(0, TCSAFLUSH, &now);
}

HiddenInput::~HiddenInput() {
  if (!saved_) return;
  ::tcsetattr(0, TCSANOW, &*saved_);
  for (const int signal : kEnding) ::signal(signal, SIG_DFL);
}

std::optional<std::pair<int, int>> terminal_size() {
  winsize size{};
  if (::ioctl(1, TIOCGWINSZ, &size) != 0 || (size.ws_row == 0 && size.ws_col == 0)) return std::nullopt;
  return std::pair<int, int>(size.ws_row, size.ws_col);
}

}  // namespace skiff::cli
