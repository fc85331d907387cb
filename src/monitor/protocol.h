#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "monitor/log_settings.h"
#include "spec/mount.h"
#include "spec/oci_runtime.h"
#include "sys/fd.h"

/// What daemon and monitor say to each other: SOCK_SEQPACKET messages, each one JSON object with descriptors
/// beside it. A request carries an id and is answered by an "answer" or "error" of the same id, in any order;
/// events carry id 0, and so does the one message a daemon sends without wanting an answer ("exec_recorded").
/// docs/monitor.md draws it. A body that is too large for a packet travels in a memfd, the
/// first descriptor of the message.
namespace skiff::monitor {

/// Raised when a message changes so that the other side must know. A daemon speaks to older monitors.
constexpr int kProtocolVersion = 1;
/// Descriptors that one request may carry.
constexpr std::size_t kMaxDescriptors = 15;

/// One message, either direction.
struct Message {
  int version = kProtocolVersion;
  std::uint64_t id = 0;
  std::string type;
  json::Value body;
  std::vector<sys::Fd> fds;
};

/// A message ready to be sent: `fds` are owned copies (the body's memfd first, if there is one).
struct Packed {
  std::string bytes;
  std::vector<sys::Fd> fds;
};

Result<Packed> pack(std::uint64_t id, std::string_view type, json::Value body, std::vector<sys::Fd> fds = {});
/// Never blocks when the socket does not; see sys::send_packet for the errors.
Result<void> send(const sys::Fd& socket, const Packed& packed);
/// Errors as sys::receive_packet; InvalidArgument for what is not a message.
Result<Message> receive(const sys::Fd& socket);

namespace type {
inline constexpr std::string_view kAnswer = "answer";
inline constexpr std::string_view kError = "error";
inline constexpr std::string_view kCreate = "create";
inline constexpr std::string_view kState = "state";
inline constexpr std::string_view kNetworkNamespace = "network_namespace";
inline constexpr std::string_view kStart = "start";
inline constexpr std::string_view kSignal = "signal";
inline constexpr std::string_view kResize = "resize";
inline constexpr std::string_view kAttach = "attach";
inline constexpr std::string_view kPause = "pause";
inline constexpr std::string_view kResume = "resume";
inline constexpr std::string_view kUpdate = "update";
inline constexpr std::string_view kStats = "stats";
inline constexpr std::string_view kProcesses = "processes";
inline constexpr std::string_view kExec = "exec";
inline constexpr std::string_view kKeep = "keep";
inline constexpr std::string_view kKept = "kept";
inline constexpr std::string_view kRelease = "release";
inline constexpr std::string_view kExited = "exited";
inline constexpr std::string_view kExecExited = "exec_exited";
inline constexpr std::string_view kOutOfMemory = "out_of_memory";
inline constexpr std::string_view kExecRecorded = "exec_recorded";
}  // namespace type

/// Body of "error".
struct Failure {
  std::string kind;
  std::string message;
  int code = 0;

  static Failure of(const Error& error);
  Error to_error() const;
};

/// One client that is to see output or give input; its socket is the next descriptor of the message.
struct AttachmentHeader {
  std::string early_input;  ///< any bytes
  bool standard_input = false;
  bool standard_output = true;
  bool standard_error = true;
  bool multiplexed = true;
  std::string detach_keys;  ///< any bytes
};

/// An OCI runtime that is a program of its own, registered with the daemon.
struct ExternalRuntime {
  std::string name;                    ///< as the user chose it; for messages
  std::string path;                    ///< without a slash it is looked for in the customary directories
  std::vector<std::string> arguments;  ///< before everything else on its command line
  std::string init;  ///< program that becomes pid 1 with `init`: skiff-monitor's own, as a file
};

/// "create": descriptors are the attachments' sockets. Answer: CreateReply.
struct CreateRequest {
  std::string id;
  spec::oci::Runtime config;
  std::string seccomp;  ///< linux.seccomp as JSON, in place of the config's: a known one is not parsed
  std::vector<spec::oci::Mount> rootfs;
  std::string run_directory;  ///< the monitor's own, in the exec root: monitor.sock, monitor.log
  std::string state_directory;
  std::string seccomp_cache;  ///< directory of compiled filters, shared by all containers of an engine
  LogSettings log;
  bool open_stdin = false;
  bool stdin_once = false;
  bool init = false;
  bool start = false;  ///< with create: nobody has to do anything to the container before its program runs
  bool ephemeral = false;  ///< removes itself at its end, so its exit record need not outlive a power loss
  bool systemd_cgroup = false;             ///< systemd makes the cgroup; cgroupsPath is "slice:prefix:name"
  std::optional<ExternalRuntime> runtime;  ///< none: the runtime library
  std::vector<AttachmentHeader> attachments;
};

/// Descriptors: the pidfd of the first process, then its network namespace.
struct CreateReply {
  int pid = 0;
};

/// How a container ended; also the content of the exit record on disk.
struct ExitStatus {
  int code = 0;
  bool oom_killed = false;
  Time started{};
  Time finished{};
  std::string error;
};

struct ExecState {
  std::string id;
  int pid = 0;
  bool running = false;
  ExitStatus exit;
};

/// Answer to "state"; the descriptor, while the container has not ended, is the pidfd.
struct StateReply {
  std::string id;
  std::string phase;  ///< "empty", "created", "running", "exited"
  int pid = 0;
  int monitor_pid = 0;
  std::string runtime;  ///< name of an external one, which may take its time
  std::string unit;     ///< systemd's, which may do so as well
  bool paused = false;
  std::string state_directory;
  ExitStatus exit;               ///< when the phase is "exited"; `started` always
  std::vector<ExecState> execs;  ///< running, and the last that ended
};

/// "signal", "resize": to the first process, or to the exec session `exec`.
struct SignalRequest {
  std::string exec;
  int signal = 0;
};
struct ResizeRequest {
  std::string exec;
  std::uint16_t columns = 0;
  std::uint16_t rows = 0;
};

struct UpdateRequest {
  spec::oci::Resources resources;
};

struct StatsReply {
  std::string json;
};

struct ProcessesReply {
  std::vector<int> pids;
};

/// "exec": descriptors are the attachments' sockets. Answer: ExecReply.
struct ExecRequest {
  std::string id;
  spec::oci::Process process;
  bool open_stdin = false;
  std::vector<AttachmentHeader> attachments;
};
struct ExecReply {
  int pid = 0;
};

/// "keep": the descriptors are stored under `name`, in place of earlier ones. "kept": its answer carries
/// them.
struct KeepRequest {
  std::string name;
};

/// "exited", "exec_exited", "out_of_memory".
struct EventMessage {
  std::string exec;
  ExitStatus exit;
};

/// "exec_recorded": the daemon has taken note of an "exec_exited". Only then the exec's clients are closed,
/// so that whoever sees the end of the output can ask the daemon for the exit code.
struct ExecRecorded {
  std::string exec;
};

/// <run_directory>/monitor.json: what a daemon needs to clean up after a monitor that was killed. Written
/// before there is anything to clean up.
struct Remains {
  std::string cgroup;
  std::string unit;  ///< systemd's, whose cgroup it is
  std::string state_directory;
  std::optional<ExternalRuntime> runtime;
};

void describe(json::Fields& f, Failure& t);
void describe(json::Fields& f, AttachmentHeader& t);
void describe(json::Fields& f, ExternalRuntime& t);
void describe(json::Fields& f, CreateRequest& t);
void describe(json::Fields& f, CreateReply& t);
void describe(json::Fields& f, ExitStatus& t);
void describe(json::Fields& f, ExecState& t);
void describe(json::Fields& f, StateReply& t);
void describe(json::Fields& f, SignalRequest& t);
void describe(json::Fields& f, ResizeRequest& t);
void describe(json::Fields& f, UpdateRequest& t);
void describe(json::Fields& f, StatsReply& t);
void describe(json::Fields& f, ProcessesReply& t);
void describe(json::Fields& f, ExecRequest& t);
void describe(json::Fields& f, ExecReply& t);
void describe(json::Fields& f, KeepRequest& t);
void describe(json::Fields& f, EventMessage& t);
void describe(json::Fields& f, ExecRecorded& t);
void describe(json::Fields& f, Remains& t);

/// <state_directory>/exit.json, written so that a power loss leaves all of it or nothing. Only when `durable`
/// has it reached the disk on return.
Result<void> write_exit_record(const std::string& state_directory, const ExitStatus& exit, bool durable);
/// Nothing when there is none.
Result<std::optional<ExitStatus>> read_exit_record(const std::string& state_directory);
Result<void> remove_exit_record(const std::string& state_directory);

Result<void> write_remains(const std::string& run_directory, const Remains& remains);
/// NotFound when there are none.
Result<Remains> read_remains(const std::string& run_directory);
/// Where everything of an external runtime lies: its state, the bundle, its logs.
std::string external_directory(const std::string& run_directory);
/// Removes a monitor's files, and its directory if nobody else put anything there.
void remove_run_files(const std::string& run_directory);

}  // namespace skiff::monitor
