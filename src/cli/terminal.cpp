#include "cli/terminal.h"

#include <sys/ioctl.h>

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

HiddenInput::HiddenInput() {
  termios now{};
  if (::tcgetattr(0, &now) != 0) return;
  saved_ = now;
  now.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  ::tcsetattr(0, TCSAFLUSH, &now);
}

HiddenInput::~HiddenInput() {
  if (saved_) ::tcsetattr(0, TCSANOW, &*saved_);
}

std::optional<std::pair<int, int>> terminal_size() {
  winsize size{};
  if (::ioctl(1, TIOCGWINSZ, &size) != 0 || (size.ws_row == 0 && size.ws_col == 0)) return std::nullopt;
  return std::pair<int, int>(size.ws_row, size.ws_col);
}

}  // namespace skiff::cli
