#include "monitor/external_exec.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/json.h"
#include "base/strings.h"
#include "monitor/console_socket.h"
#include "monitor/orphans.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

class ExternalExec final : public PendingProgram {
 public:
  ExternalExec(const ExternalProgram& program, std::string id)
      : program_(program), name_("exec-" + std::move(id)) {
    command_.log = name_ + ".log";
  }
  ~ExternalExec() override;

  Result<void> begin(const spec::oci::Process& process, const runtime::Streams& streams);

  const sys::Fd& ready() const override { return call_.process().pidfd(); }
  Result<bool> advance() override;
  void give_up() override { call_.kill(); }
  runtime::Executed take() override { return std::exchange(executed_, {}); }

 private:
  Result<void> arrive();
  Error explain(const Error& error) const { return program_.explain("OCI runtime exec", command_, error); }

  const ExternalProgram& program_;
  const std::string name_;  ///< of its files
  ExternalProgram::Command command_;
  std::optional<ConsoleSocket> console_;
  ExternalCall call_;
  bool running_ = false;  ///< the runtime's process has not been reaped
  runtime::Executed executed_;
};

ExternalExec::~ExternalExec() {
  if (running_) {
    call_.kill();
    (void)call_.process().wait();
  }
  if (executed_.process.valid()) {  // it came, and nobody wanted it
    (void)executed_.process.signal(SIGKILL);
    (void)executed_.process.wait();
  }
  for (const char* suffix : {".json", ".pid", ".log"}) ::unlink(program_.file(name_ + suffix).c_str());
}

Result<void> ExternalExec::begin(const spec::oci::Process& process, const runtime::Streams& streams) {
  const std::string file = program_.file(name_ + ".json");
  TRY(sys::replace_file(file, json::encode(process), 0600));
  command_.words = {"exec", "--process", file, "--pid-file", program_.file(name_ + ".pid"), "--detach"};
  if (process.terminal) {
    console_.emplace(TRY(ConsoleSocket::create(program_.file(""), name_ + ".sock")));
    command_.words.insert(command_.words.end(), {"--console-socket", console_->path()});
  } else {
    command_.streams = streams;
  }
  command_.words.push_back(program_.id());
  auto call = program_.spawn(command_);
  if (!call) return explain(call.error());
  call_ = *std::move(call);
  running_ = true;
  return success();
}

Result<void> ExternalExec::arrive() {
  executed_.process = TRY(process_in(program_.file(name_ + ".pid")));
  if (console_) executed_.console = TRY(console_->receive());
  return success();
}

Result<bool> ExternalExec::advance() {
  running_ = false;
  if (auto done = call_.finish(kExternalQuick); !done) return explain(done.error());
  if (auto arrived = arrive(); !arrived) return explain(arrived.error());
  return true;
}

}  // namespace

Result<sys::Process> process_in(const std::string& path) {
  auto text = sys::read_file(path, 64);
  if (!text && text.error().code() == ENOENT)
    return fail(Kind::NotFound, "open {}: no such file or directory", path);
  const auto pid = parse_int(trim(TRY(std::move(text))));
  if (!pid || *pid <= 1) return fail(Kind::Internal, "{} holds no process number", path);
  if (!is_own_child(static_cast<pid_t>(*pid)))
    return fail(Kind::Internal, "process {} of {} is not one that the runtime made", *pid, path);
  return sys::Process::open(static_cast<pid_t>(*pid));
}

Result<std::unique_ptr<PendingProgram>> external_exec(const ExternalProgram& program, const std::string& id,
                                                      const spec::oci::Process& process,
                                                      const runtime::Streams& streams) {
  auto exec = std::make_unique<ExternalExec>(program, id);
  TRY(exec->begin(process, streams));
  return exec;
}

}  // namespace skiff::monitor
