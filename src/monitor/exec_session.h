#pragma once

#include <memory>
#include <string>

#include "monitor/loop.h"
#include "monitor/protocol.h"
#include "monitor/streams.h"
#include "runtime/container.h"
#include "sys/spawn.h"

namespace skiff::monitor {

/// Another program in the container, running or ended. It stays for a while after its end, so that a daemon
/// that was away learns the exit code.
struct ExecSession {
  std::string id;
  sys::Process process;
  bool running = true;  ///< until it was reaped and its output read
  bool reaped = false;
  ExitStatus exit;
  std::unique_ptr<Streams> streams;  ///< none when nobody was attached
  std::unique_ptr<Loop::Watch> watch;
  std::unique_ptr<Loop::Timer> record_limit;  ///< while its clients wait for the daemon's record

  ExecState state() const { return {.id = id, .pid = process.pid(), .running = running, .exit = exit}; }
};

/// The two ends of the standard streams of a program about to start.
struct StreamPipes {
  StreamEnds ours;
  sys::Fd in;
  sys::Fd out;
  sys::Fd err;

  /// Pipes for output, and for input when `open_stdin`; /dev/null for what is not wanted.
  static Result<StreamPipes> create(bool open_stdin, bool output);
  runtime::Streams for_program() const { return {.in = in.get(), .out = out.get(), .err = err.get()}; }
};

/// 128 + signal for a killed process, as shells and Docker count.
int exit_code(int wait_status);

/// The monitor's own score (-999) must not pass on to what it starts: 0 unless `process` says otherwise.
void neutral_oom_score(spec::oci::Process& process);

}  // namespace skiff::monitor
