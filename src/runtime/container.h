#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/seccomp_filter.h"
#include "spec/mount.h"
#include "spec/oci_runtime.h"
#include "sys/cgroup.h"
#include "sys/fd.h"
#include "sys/spawn.h"

/// The OCI runtime as a library. It forks, so it belongs into single-threaded programs only: skiff-monitor
/// and skiff-runtime. docs/runtime.md draws the handshake between parent and child.
///
///     auto container = TRY(Container::create(options));   // everything is set up, execve is missing
///     ... join the network namespace of container.process() ...
///     TRY(container.start());                             // execve has happened
///     int status = TRY(container.process().wait());
///     TRY(Cgroup(...).remove());
namespace skiff::runtime {

/// The program's standard streams; -1 is /dev/null. With process.terminal the runtime opens a pty on the
/// container's own devpts and `streams` are not used.
struct Streams {
  int in = -1;
  int out = -1;
  int err = -1;
};

struct CreateOptions {
  std::string id;
  spec::oci::Runtime config;
  std::vector<spec::Mount>
      rootfs;  ///< mounted inside the new mount namespace; when empty, config.root.path relative to `bundle`
  std::string bundle;       ///< directory that relative paths of the config start from
  std::string cgroup_path;  ///< relative to each hierarchy's root; from config.linux.cgroupsPath when empty
  std::optional<sys::CgroupLayout> cgroup_layout;  ///< this machine's, where the caller has looked already
  bool systemd_cgroup = false;                     ///< systemd makes the cgroup: see systemd_unit.h
  Streams streams;
  bool init = false;            ///< pid 1 is the built-in init, which runs the program as its child
  std::string seccomp_profile;  ///< linux.seccomp as JSON, in place of the config's; "" leaves that
  std::string seccomp_cache;    ///< directory for compiled filters, made when missing; "" compiles each time
  int preserve_fds = 0;         ///< descriptors 3, 4 ... that the program inherits
  bool no_pivot = false;        ///< chroot instead of pivot_root, for roots on a ramdisk
  bool new_keyring = true;
  int start_fd =
      -1;  ///< when set, the program waits for a byte on it instead of start(), and survives the caller
  int report_fd = -1;  ///< with start_fd: failures of the start are written here as a handshake packet
  /// How long create() and start() together wait for the new process; "none" is for ever. In a pid namespace
  /// that it joins others can stop it; then it is killed.
  std::optional<std::chrono::milliseconds> patience;
  std::vector<std::string> warnings;  ///< filled: what the kernel refused without harm (rlimits)
};

/// A container whose program waits for start(). Move-only; dropping it before start() kills the half-made
/// container and undoes all of it.
class Container {
 public:
  /// Clones into the namespaces and cgroup, mounts, pivots, drops rights, and stops right before execve.
  /// Errors name the step: "mount proc to /proc: operation not permitted".
  static Result<Container> create(CreateOptions& options);

  Container(Container&&) noexcept;
  Container& operator=(Container&&) noexcept;
  ~Container();

  const sys::Process& process() const;  ///< the first process; the caller reaps it
  sys::Fd take_console();               ///< the pty's master, when process.terminal
  const sys::Cgroup& cgroup() const;
  /// The unit that it is for systemd, to be stopped by the caller once the cgroup is empty; "" with cgroups
  /// of our own.
  const std::string& unit() const;
  const SeccompFilter& seccomp() const;  ///< its program's; exec() takes it too
  /// Why the program cannot be executed, as known before start(); start() fails with the same.
  const std::optional<Error>& program_error() const;

  /// Releases the program; returns once execve happened or failed. NotFound and Forbidden carry Docker's
  /// sentence
  /// (`exec: "x": executable file not found in $PATH`).
  Result<void> start();
  /// Lets go of a container that was made with `start_fd`: it waits on without us.
  void detach();

 private:
  struct State;
  explicit Container(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct ExecOptions {
  spec::oci::Process process;
  Streams streams;
  const sys::Cgroup* cgroup = nullptr;  ///< joined before anything runs; null stays in the caller's
  SeccompFilter seccomp;
  int preserve_fds = 0;
  bool keep_groups = false;           ///< the caller's groups stay (kKeepGroups)
  std::vector<std::string> warnings;  ///< filled
};

struct Executed {
  sys::Process
      process;  ///< a child of the caller, inside all the container's namespaces; the caller reaps it
  sys::Fd console;
};

/// A program on its way into a running container. Until execve its process is at the mercy of those in the
/// container, who may stop it: who must not stand still with it waits for socket() and calls advance() when
/// that is readable. Dropping it kills and reaps the process.
class PendingExec {
 public:
  /// Makes the process in the container whose first process is `target`, by pidfd setns(2).
  static Result<PendingExec> begin(const sys::Process& target, const ExecOptions& options);

  PendingExec(PendingExec&&) noexcept;
  PendingExec& operator=(PendingExec&&) noexcept;
  ~PendingExec();

  const sys::Fd& socket() const;
  const sys::Process& process() const;
  /// Takes one message, waiting for it: true after execve. Errors as start().
  Result<bool> advance();
  /// After advance() has said true: the process is the caller's.
  Executed take();
  const std::vector<std::string>& warnings() const;

 private:
  struct State;
  explicit PendingExec(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Starts another program in the container whose first process is `target`. Returns after execve; errors as
/// start().
Result<Executed> exec(const sys::Process& target, ExecOptions& options);

/// The annotation by which Podman asks for its caller's groups (`--group-add keep-groups`), as crun knows it.
bool keeps_groups(const spec::oci::Runtime& config);

/// The cgroup a configuration asks for, relative to each hierarchy's root; "<id>" when it names none.
std::string cgroup_path_of(const spec::oci::Runtime& config, const std::string& id);

}  // namespace skiff::runtime
