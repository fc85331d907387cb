#pragma once

#include <termios.h>

#include <optional>
#include <utility>

namespace skiff::cli {

/// Puts the terminal on standard input into raw mode for a scope, so that every key goes to the container.
class RawTerminal {
 public:
  RawTerminal() = default;
  ~RawTerminal() { restore(); }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  void enter();
  void restore();

 private:
  std::optional<termios> saved_;
};

/// What is typed is not shown, for a scope: passwords. A signal that ends the program puts the terminal back
/// first. One at a time.
class HiddenInput {
 public:
  HiddenInput();
  ~HiddenInput();
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;

 private:
  std::optional<termios> saved_;
};

/// Rows and columns of the terminal on standard output; nothing when it is none.
std::optional<std::pair<int, int>> terminal_size();

}  // namespace skiff::cli
