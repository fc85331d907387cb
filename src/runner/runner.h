#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "monitor/log_settings.h"
#include "monitor/protocol.h"
#include "spec/engine_config.h"
#include "spec/mount.h"
#include "spec/oci_runtime.h"
#include "sys/fd.h"

/// Drives monitors: one skiff-monitor process per container, which outlives the daemon.
namespace skiff::runner {

/// A client's end of a hijacked connection, given away to the monitor, which serves it directly from then on:
/// the stream survives the daemon's death and costs the daemon nothing.
struct Attachment {
  sys::Fd client;           ///< stream socket; for pipes of our own (builds) any writable descriptor
  std::string early_input;  ///< bytes the client sent right behind its request
  bool standard_input = false;
  bool standard_output = true;
  bool standard_error = true;
  bool multiplexed = true;  ///< Docker's 8-byte frame headers; false: raw bytes (tty)
  std::string detach_keys;  ///< parsed key bytes; "" switches detaching off
};

using LogOptions = monitor::LogSettings;
using ExternalRuntime = monitor::ExternalRuntime;

/// Everything needed to make one container.
struct Bundle {
  std::string id;
  spec::oci::Runtime config;        ///< OCI config.json; root.path is not used when `rootfs` is given
  std::string seccomp;              ///< linux.seccomp as JSON, in place of the config's; "" leaves that
  std::vector<spec::Mount> rootfs;  ///< made inside the container's own mount namespace
  std::string state_directory;      ///< the exit record is kept here durably (data root, per container)
  LogOptions log;
  bool open_stdin = false;  ///< keep a pipe for standard input (-i)
  bool stdin_once = false;
  bool init = false;       ///< built-in init that reaps and forwards signals
  bool start = false;      ///< with create(): nobody plugs its network or else waits for it before it runs
  bool ephemeral = false;  ///< removes itself at its end: its exit record need not outlive a power loss
  bool systemd_cgroup = false;             ///< systemd makes the cgroup, cgroupsPath is "slice:prefix:name"
  std::optional<ExternalRuntime> runtime;  ///< none: the runtime library
  std::vector<Attachment> attachments;     ///< clients that attached before the start
};

struct Exit {
  int code = 0;  ///< 128 + signal when a signal ended it
  bool oom_killed = false;
  Time started{};
  Time finished{};
  std::string error;  ///< why it never ran ("exec: \"x\": executable file not found in $PATH"), or ""
};

struct ExecRequest {
  std::string id;
  spec::oci::Process process;
  bool open_stdin = false;
  std::vector<Attachment> attachments;
};

struct Stats {
  spec::oci::Resources limits;
  std::string json;  ///< filled by the runtime library: cpu, memory, pids, blkio counters (runtime/stats.h)
};

/// One container's monitor, as the daemon sees it. Thread-safe; every call answers in bounded time.
/// Unavailable: the monitor is gone.
class Task {
 public:
  virtual ~Task() = default;
  virtual const std::string& id() const = 0;
  virtual pid_t pid() const = 0;  ///< of the container's first process, as the host sees it
  virtual pid_t monitor_pid() const = 0;
  /// Whether the program was let run. False after recover() of a container whose daemon died between create()
  /// and start(): nobody was promised anything, and release() undoes it.
  virtual bool has_started() const = 0;
  /// The container's network namespace, for the network service.
  virtual Result<sys::Fd> network_namespace() = 0;

  /// Lets the program run. Returns when exec(2) succeeded or says why not: NotFound (127) or Forbidden (126),
  /// with Docker's sentence.
  virtual Result<void> start() = 0;
  /// To the first process. NotFound when it has ended.
  virtual Result<void> kill(int signal) = 0;
  virtual Result<void> resize(std::uint16_t columns, std::uint16_t rows) = 0;
  virtual Result<void> attach(Attachment attachment) = 0;
  virtual Result<void> pause() = 0;
  virtual Result<void> resume() = 0;
  virtual Result<void> update(const spec::oci::Resources& resources) = 0;
  /// Counters of the container's cgroups as JSON (see runtime/stats.h).
  virtual Result<std::string> stats() = 0;
  virtual Result<std::vector<pid_t>> processes() = 0;

  /// Starts another program in the container; the answer is its pid on the host. Errors as start().
  virtual Result<pid_t> exec(ExecRequest request) = 0;
  virtual Result<void> resize_exec(const std::string& exec_id, std::uint16_t columns, std::uint16_t rows) = 0;
  virtual Result<void> kill_exec(const std::string& exec_id, int signal) = 0;

  /// Descriptors that must outlive the daemon (the DNS sockets): the monitor keeps them by name.
  virtual Result<void> keep(const std::string& name, const std::vector<int>& fds) = 0;
  virtual Result<std::vector<sys::Fd>> kept(const std::string& name) = 0;

  /// Tells the monitor that its exit record was taken over by the daemon: it removes the cgroup and ends.
  /// Idempotent.
  virtual Result<void> release() = 0;
};

struct Event {
  enum class Type : std::uint8_t { Exited, ExecExited, OutOfMemory };
  Type type = Type::Exited;
  std::string container;
  std::string exec;  ///< of ExecExited
  Exit exit;
};

class Runner {
 public:
  /// `listener` is called from the runner's own thread, one event after the other; it must not block for
  /// long. An exec's clients see the end of their stream only after it has returned from ExecExited, so what
  /// they may ask for then must have been recorded.
  static Result<std::unique_ptr<Runner>> open(const spec::EngineConfig& config,
                                              std::function<void(Event)> listener);
  virtual ~Runner() = default;

  /// Starts a monitor and makes the container up to the point where only start() is missing, or, with
  /// Bundle::start, lets it run; errors then include start()'s. Nothing is left when it fails.
  /// `make` is called once the monitor comes up, so that both are under way together; its error is the
  /// answer.
  virtual Result<std::shared_ptr<Task>> create(const std::string& id,
                                               const std::function<Result<Bundle>()>& make) = 0;
  /// Starts a monitor in advance, for the next create() to find one that has come up. To be called when there
  /// is time for it; does nothing while there is one.
  virtual void prepare_next() = 0;
  /// After a daemon restart: takes over the monitor of container `id`. NotFound: there is none, its end is in
  /// the exit record.
  virtual Result<std::shared_ptr<Task>> recover(const std::string& id) = 0;
  /// Ids of all containers that have something in the exec root: a monitor, or what a killed one, or a daemon
  /// killed while it started one, left there. recover() takes over the former and removes the latter.
  virtual Result<std::vector<std::string>> monitors() = 0;
  /// The durable exit record of a container whose monitor is gone; nothing when it never ended by itself
  /// (power loss).
  static Result<std::optional<Exit>> exit_record(const std::string& state_directory);
};

}  // namespace skiff::runner
