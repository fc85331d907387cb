#pragma once

#include <memory>
#include <string>

#include "monitor/backend.h"
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

/// A program between the daemon's request and its execve. Meanwhile the container's own processes may stop
/// it, so nobody waits for it; the daemon's answer comes when it has got through, or when its time is over.
struct StartingExec {
  std::uint64_t request = 0;     ///< the message to answer; 0 once that is done
  std::uint64_t connection = 0;  ///< the daemon that wants to know
  std::unique_ptr<ExecSession> session;
  std::unique_ptr<PendingProgram> pending;
  StreamPipes pipes;
  std::vector<AttachmentHeader> attachments;
  std::vector<sys::Fd> clients;
  std::unique_ptr<Loop::Watch> watch;
  std::unique_ptr<Loop::Timer> limit;
};

/// 128 + signal for a killed process, as shells and Docker count.
int exit_code(int wait_status);

/// The monitor's own score (-999) must not pass on to what it starts: 0 unless `process` says otherwise.
void neutral_oom_score(spec::oci::Process& process);

}  // namespace skiff::monitor
