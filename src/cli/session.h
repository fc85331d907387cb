#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "client/client.h"

namespace skiff::cli {

/// How an attached process and this terminal go together.
struct SessionOptions {
  bool tty = false;
  bool input = false;                                    ///< our standard input goes to the process
  std::string detach_keys;                               ///< "ctrl-p,ctrl-q" when empty; only with a terminal
  std::function<void(std::string_view signal)> forward;  ///< passes a signal on; none when it shall act on us
  std::function<void(int rows, int columns)> resize;     ///< the terminal has a new size
};

/// Copies between the connection and our standard streams until the engine ends it. InvalidArgument "read
/// escape sequence" when the user detached (is_detached()).
Result<void> run_session(client::Hijacked connection, const SessionOptions& options);
bool is_detached(const Error& error);

/// The bytes of "ctrl-p,ctrl-q" or "a,b". InvalidArgument: "invalid detach keys (x) ..."
Result<std::string> parse_detach_keys(std::string_view text);

/// Blocks, from now on, the signals that sessions pass on, so that none is lost before the session runs.
void hold_signals();

/// InvalidArgument "the input device is not a TTY" when a terminal is wanted on standard input and there is
/// none.
Result<void> check_terminal(bool wants_input, bool tty);

/// "SIGTERM" without "SIG", or the number.
std::string signal_name(int signal);

}  // namespace skiff::cli
