#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/result.h"
#include "monitor/protocol.h"
#include "runtime/container.h"
#include "sys/fd.h"
#include "sys/spawn.h"

namespace skiff::monitor {

/// How long an external runtime may take for a verb. Making and starting a container may mean a virtual
/// machine.
inline constexpr std::chrono::milliseconds kExternalMake{30000};
inline constexpr std::chrono::milliseconds kExternalQuick{10000};

/// One run of an external runtime, from its start to its end. It runs in a session of its own and dies with
/// its caller; dropping it leaves it alone.
class ExternalCall {
 public:
  ExternalCall() = default;
  ExternalCall(std::string program, sys::Process process, sys::Fd output)
      : program_(std::move(program)), process_(std::move(process)), output_(std::move(output)) {}

  const sys::Process& process() const { return process_; }
  /// Waits and reaps. Unavailable when it takes longer than `limit`: it is killed then.
  Result<void> finish(std::chrono::milliseconds limit);
  /// The program and everything that has stayed in its session.
  void kill() const;
  /// What it printed, unless it had the container's streams.
  std::string output() const;

 private:
  std::string program_;
  sys::Process process_;
  sys::Fd output_;
};

/// An external runtime and where it keeps the one container of a monitor. Command line and files are those of
/// runc (and so of crun, runsc, youki): `PATH [ARGUMENTS] --root R --log L --log-format json VERB ...`.
class ExternalProgram {
 public:
  ExternalProgram(ExternalRuntime runtime, std::string id, std::string directory)
      : runtime_(std::move(runtime)), id_(std::move(id)), directory_(std::move(directory)) {}

  const std::string& id() const { return id_; }
  std::string file(std::string_view name) const { return fmt::format("{}/{}", directory_, name); }

  struct Command {
    std::vector<std::string> words;  ///< the verb, and what follows it
    std::string log = "log.json";    ///< a name in the directory; begun anew
    std::string input;
    runtime::Streams streams;  ///< the container's, for create and exec; without, they are the call's own
  };
  /// Errors are those of execve(2), in Go's words: `exec: "x": executable file not found in $PATH`.
  Result<ExternalCall> spawn(const Command& command) const;
  /// The error of a call that failed as Docker tells it: "<what> failed: <the last error in its log>", or
  /// what else is known.
  Error explain(std::string_view what, const Command& command, const Error& error) const;
  /// Runs a verb that is over soon: what it printed. Errors are explained by `what`, and plain when that is
  /// "".
  Result<std::string> run(std::string_view what, const Command& command,
                          std::chrono::milliseconds limit = kExternalQuick) const;
  /// Ends and removes whatever the runtime still knows of the container.
  Result<void> remove() const;

 private:
  ExternalRuntime runtime_;
  std::string id_;
  std::string directory_;
};

/// The kind that a failed start's sentence stands for: NotFound (127), Forbidden (126), InvalidArgument or
/// Internal. Docker, too, knows no more than the words.
Kind kind_of_failure(std::string_view sentence);

}  // namespace skiff::monitor
