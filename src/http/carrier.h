#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"
#include "sys/spawn.h"

namespace skiff::http {

/// A program whose standard input and output are a connection to somewhere else, as ssh's are. It ends when
/// its connection is closed, and at the latest with us; a session of its own keeps the terminal's signals
/// from it.
class Carrier {
 public:
  /// Our end of the connection comes back beside it. NotFound when there is no such program.
  static Result<std::pair<sys::Fd, Carrier>> start(std::vector<std::string> command);

  /// Why the connection ended before it could be used: the program's exit code, and what it said on its
  /// standard error.
  Error failure() const;

 private:
  Carrier(std::vector<std::string> command, sys::Process process, sys::Fd words)
      : command_(std::move(command)), process_(std::move(process)), words_(std::move(words)) {}

  std::vector<std::string> command_;
  sys::Process process_;
  sys::Fd words_;  ///< a nameless file: a pipe that nobody reads could hold the program up
};

}  // namespace skiff::http
