#include "monitor/protocol.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/strings.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace skiff::monitor {
namespace {

/// A unix socket takes a message as a whole or not at all, and its buffer is 208 KiB by default.
constexpr std::size_t kInlineLimit = 32 << 10;
constexpr std::size_t kBodyLimit = 64 << 20;

struct Envelope {
  int version = kProtocolVersion;
  std::uint64_t id = 0;
  std::string type;
  bool body_in_file = false;
  json::Value body;
};

void describe(json::Fields& f, Envelope& t) {
  f("version", t.version);
  f("id", t.id);
  f("type", t.type);
  f("body_in_file", t.body_in_file, json::Omit::Empty);
  f("body", t.body, json::Omit::Empty);
}

Result<sys::Fd> memory_file(std::string_view bytes) {
  sys::Fd file(::memfd_create("message", MFD_CLOEXEC));
  if (!file.valid()) return fail_errno("memfd_create");
  TRY(sys::write_all(file, bytes));
  return file;
}

std::optional<std::string> from_hex(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digit(text[i]);
    const int low = digit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

/// JSON texts are UTF-8; what a client typed need not be.
void describe_bytes(json::Fields& f, std::string_view name, std::string& bytes) {
  std::string text = f.reading() ? std::string() : to_hex(bytes);
  f(name, text, json::Omit::Empty);
  if (!f.reading()) return;
  if (auto read = from_hex(text))
    bytes = *std::move(read);
  else
    f.reject("hexadecimal digits", json::Value(text));
}

std::string exit_path(const std::string& state_directory) { return state_directory + "/exit.json"; }

}  // namespace

Result<Packed> pack(std::uint64_t id, std::string_view type, json::Value body, std::vector<sys::Fd> fds) {
  Envelope envelope{.id = id, .type = std::string(type), .body = std::move(body)};
  Packed packed{.bytes = json::encode(envelope), .fds = std::move(fds)};
  if (packed.bytes.size() > kInlineLimit) {
    packed.fds.insert(packed.fds.begin(), TRY(memory_file(json::to_text(envelope.body))));
    envelope.body = nullptr;
    envelope.body_in_file = true;
    packed.bytes = json::encode(envelope);
  }
  return packed;
}

Result<void> send(const sys::Fd& socket, const Packed& packed) {
  std::vector<int> numbers;
  numbers.reserve(packed.fds.size());
  for (const sys::Fd& fd : packed.fds) numbers.push_back(fd.get());
  return sys::send_packet(socket, packed.bytes, numbers);
}

Result<Message> receive(const sys::Fd& socket) {
  sys::Packet packet = TRY(sys::receive_packet(socket));
  auto envelope = TRY_CONTEXT(json::decode<Envelope>(packet.bytes), "monitor message");
  Message message{.version = envelope.version,
                  .id = envelope.id,
                  .type = std::move(envelope.type),
                  .body = std::move(envelope.body),
                  .fds = std::move(packet.fds)};
  if (envelope.body_in_file) {
    if (message.fds.empty()) return fail(Kind::InvalidArgument, "monitor message: its body is missing");
    const sys::Fd file = std::move(message.fds.front());
    message.fds.erase(message.fds.begin());
    if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail_errno("monitor message: seek");
    message.body = TRY_CONTEXT(json::parse(TRY(sys::read_all(file, kBodyLimit))), "monitor message");
  }
  if (!message.body.is_object()) message.body = json::Object();
  return message;
}

Failure Failure::of(const Error& error) {
  return {.kind = std::string(to_string(error.kind())), .message = error.message(), .code = error.code()};
}

Error Failure::to_error() const {
  constexpr Kind kKinds[] = {Kind::InvalidArgument, Kind::NotFound,    Kind::Conflict,  Kind::NotModified,
                             Kind::Forbidden,       Kind::Unavailable, Kind::Cancelled, Kind::Exhausted,
                             Kind::Unsupported,     Kind::DataLoss,    Kind::Internal};
  for (const Kind known : kKinds) {
    if (to_string(known) == kind) return Error(known, message, code);
  }
  return Error(Kind::Internal, message, code);
}

void describe(json::Fields& f, Failure& t) {
  f("kind", t.kind);
  f("message", t.message);
  f("code", t.code, json::Omit::Empty);
}

void describe(json::Fields& f, AttachmentHeader& t) {
  describe_bytes(f, "early_input", t.early_input);
  f("stdin", t.standard_input);
  f("stdout", t.standard_output);
  f("stderr", t.standard_error);
  f("multiplexed", t.multiplexed);
  describe_bytes(f, "detach_keys", t.detach_keys);
}

void describe(json::Fields& f, ExternalRuntime& t) {
  f("name", t.name);
  f("path", t.path);
  f("arguments", t.arguments, json::Omit::Empty);
  f("init", t.init, json::Omit::Empty);
}

void describe(json::Fields& f, CreateRequest& t) {
  f("id", t.id);
  f("config", t.config);
  f("seccomp", t.seccomp, json::Omit::Empty);
  f("rootfs", t.rootfs, json::Omit::Empty);
  f("run_directory", t.run_directory);
  f("state_directory", t.state_directory);
  f("seccomp_cache", t.seccomp_cache, json::Omit::Empty);
  f("log", t.log);
  f("open_stdin", t.open_stdin, json::Omit::Empty);
  f("stdin_once", t.stdin_once, json::Omit::Empty);
  f("init", t.init, json::Omit::Empty);
  f("start", t.start, json::Omit::Empty);
  f("ephemeral", t.ephemeral, json::Omit::Empty);
  f("systemd_cgroup", t.systemd_cgroup, json::Omit::Empty);
  f("runtime", t.runtime, json::Omit::Empty);
  f("attachments", t.attachments, json::Omit::Empty);
}

void describe(json::Fields& f, CreateReply& t) { f("pid", t.pid); }

void describe(json::Fields& f, ExitStatus& t) {
  f("code", t.code);
  f("oom_killed", t.oom_killed, json::Omit::Empty);
  f("started", t.started);
  f("finished", t.finished);
  f("error", t.error, json::Omit::Empty);
}

void describe(json::Fields& f, ExecState& t) {
  f("id", t.id);
  f("pid", t.pid);
  f("running", t.running);
  f("exit", t.exit);
}

void describe(json::Fields& f, StateReply& t) {
  f("id", t.id);
  f("phase", t.phase);
  f("pid", t.pid);
  f("monitor_pid", t.monitor_pid);
  f("runtime", t.runtime, json::Omit::Empty);
  f("unit", t.unit, json::Omit::Empty);
  f("paused", t.paused, json::Omit::Empty);
  f("state_directory", t.state_directory);
  f("exit", t.exit);
  f("execs", t.execs, json::Omit::Empty);
}

void describe(json::Fields& f, SignalRequest& t) {
  f("exec", t.exec, json::Omit::Empty);
  f("signal", t.signal);
}

void describe(json::Fields& f, ResizeRequest& t) {
  f("exec", t.exec, json::Omit::Empty);
  f("columns", t.columns);
  f("rows", t.rows);
}

void describe(json::Fields& f, UpdateRequest& t) { f("resources", t.resources); }
void describe(json::Fields& f, StatsReply& t) { f("json", t.json); }
void describe(json::Fields& f, ProcessesReply& t) { f("pids", t.pids); }

void describe(json::Fields& f, ExecRequest& t) {
  f("id", t.id);
  f("process", t.process);
  f("open_stdin", t.open_stdin, json::Omit::Empty);
  f("attachments", t.attachments, json::Omit::Empty);
}

void describe(json::Fields& f, ExecReply& t) { f("pid", t.pid); }
void describe(json::Fields& f, KeepRequest& t) { f("name", t.name); }

void describe(json::Fields& f, ExecRecorded& t) { f("exec", t.exec); }

void describe(json::Fields& f, EventMessage& t) {
  f("exec", t.exec, json::Omit::Empty);
  f("exit", t.exit);
}

void describe(json::Fields& f, Remains& t) {
  f("cgroup", t.cgroup);
  f("unit", t.unit, json::Omit::Empty);
  f("state_directory", t.state_directory);
  f("runtime", t.runtime, json::Omit::Empty);
}

Result<void> write_remains(const std::string& run_directory, const Remains& remains) {
  return sys::replace_file(run_directory + "/monitor.json", json::encode(remains), 0600);
}

Result<Remains> read_remains(const std::string& run_directory) {
  return json::decode<Remains>(TRY(sys::read_file(run_directory + "/monitor.json", 1 << 20)));
}

std::string external_directory(const std::string& run_directory) { return run_directory + "/oci"; }

void remove_run_files(const std::string& run_directory) {
  for (const char* name : {"monitor.sock", "monitor.json", "monitor.log"}) {
    ::unlink(fmt::format("{}/{}", run_directory, name).c_str());
  }
  ::rmdir(run_directory.c_str());
}

Result<void> write_exit_record(const std::string& state_directory, const ExitStatus& exit, bool durable) {
  const std::string path = exit_path(state_directory);
  return durable ? sys::write_file_atomic(path, json::encode(exit), 0600)
                 : sys::replace_file(path, json::encode(exit), 0600);
}

Result<std::optional<ExitStatus>> read_exit_record(const std::string& state_directory) {
  auto text = sys::read_file(exit_path(state_directory), 1 << 20);
  if (!text) {
    if (text.error().kind() == Kind::NotFound) return std::optional<ExitStatus>();
    return std::move(text).error();
  }
  return std::optional(TRY_CONTEXT(json::decode<ExitStatus>(*text), "exit record in {}", state_directory));
}

Result<void> remove_exit_record(const std::string& state_directory) {
  const std::string path = exit_path(state_directory);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove {}", path);
  return success();
}

}  // namespace skiff::monitor
