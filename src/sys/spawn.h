#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace skiff::sys {

/// A child process: its pid together with a pidfd, so that a recycled pid is never signalled
/// (pidfd_open(2)). Dropping it neither kills nor reaps.
class Process {
 public:
  Process() = default;
  Process(pid_t pid, Fd pidfd) : pid_(pid), pidfd_(std::move(pidfd)) {}

  /// The process `pid` as it is now; NotFound when it is gone.
  static Result<Process> open(pid_t pid);

  pid_t pid() const { return pid_; }
  const Fd& pidfd() const { return pidfd_; }
  bool valid() const { return pidfd_.valid(); }

  /// pidfd_send_signal(2); NotFound when it has ended.
  Result<void> signal(int signal) const;
  /// Waits for the end of a child and reaps it: the wait status as of waitpid(2).
  Result<int> wait() const;
  /// As wait(), but gives up after `timeout`: nothing then.
  Result<std::optional<int>> wait_for(std::chrono::milliseconds timeout) const;

 private:
  pid_t pid_ = -1;
  Fd pidfd_;
};

/// What a new process gets. Only standard streams and `keep` survive into it.
struct SpawnOptions {
  std::string program;  ///< path; no PATH search unless search_path
  bool search_path = false;
  int image = -1;  ///< execveat(2) of this descriptor instead; `program` then only names it
  std::vector<std::string> arguments;                   ///< argv, the program's name first
  std::optional<std::vector<std::string>> environment;  ///< "NAME=value"; the parent's when absent
  std::optional<std::string> directory;
  int standard_input = -1;  ///< -1: /dev/null
  int standard_output = -1;
  int standard_error = -1;                ///< -1: the parent's standard error
  std::vector<std::pair<int, int>> keep;  ///< (descriptor here, its number there), numbers from 3 up
  /// (source, target): the program has a mount namespace of its own, in which the mounts at and below each
  /// source are bound to its target. Ours never has them, and they go with the program and its children.
  std::vector<std::pair<std::string, std::string>> binds;
  bool new_session = false;      ///< setsid(2)
  bool die_with_parent = false;  ///< PR_SET_PDEATHSIG SIGKILL
};

/// Starts a program by clone3(CLONE_VFORK | CLONE_VM): safe in a program with threads, and cheap however
/// large it is. A program that cannot be executed is reported here, with its errno, not by an exit code.
Result<Process> spawn(const SpawnOptions& options);

struct Output {
  int status = 0;  ///< wait status
  std::string standard_output;
  std::string standard_error;
};
/// Runs a program to its end and collects what it prints (each stream at most `limit` bytes).
Result<Output> run(SpawnOptions options, std::string_view input = {}, std::size_t limit = 16 << 20);

}  // namespace skiff::sys
