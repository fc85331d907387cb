#include <poll.h>
#include <signal.h>

#include "base/json.h"
#include "base/log.h"
#include "base/undo.h"
#include "monitor/backend.h"
#include "monitor/console_socket.h"
#include "monitor/container_cgroup.h"
#include "monitor/external_bundle.h"
#include "monitor/external_exec.h"
#include "monitor/external_program.h"
#include "monitor/orphans.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/private_mounts.h"

namespace skiff::monitor {
namespace {

/// How Docker's words begin when a container could not be made.
constexpr std::string_view kCreateFailed = "failed to create task for container: failed to create shim task";

/// The calls block, each for a limited time: a runtime that is slow to pause a container holds its output up,
/// as the pause is about to do. Only exec goes on by itself, since programs of the container can hold that
/// up.
class ExternalBackend final : public Backend {
 public:
  ExternalBackend(Loop& loop, ExternalRuntime runtime, std::string directory)
      : loop_(loop), runtime_(std::move(runtime)), directory_(std::move(directory)) {}

  Result<void> create(runtime::CreateOptions options) override;
  const sys::Process& process() const override { return process_; }
  sys::Fd take_console() override { return std::move(console_); }
  Result<void> start() override;
  Result<void> signal(int signal) override;
  Result<std::unique_ptr<PendingProgram>> exec(const std::string& id, const spec::oci::Process& process,
                                               const runtime::Streams& streams) override {
    return external_exec(*program_, id, process, streams);
  }
  Result<void> pause(bool paused) override;
  Result<void> update(const spec::oci::Resources& resources) override;
  Result<std::string> stats() override { return cgroup_stats(*cgroup_); }
  Result<std::vector<pid_t>> processes() override;
  std::uint64_t oom_kills() override { return cgroup_oom_kills(*cgroup_); }
  sys::Fd oom_watch() override { return cgroup_oom_watch(*cgroup_); }
  Result<void> remove() override;

 private:
  Result<void> prepare(const runtime::CreateOptions& options);
  Result<void> run_create(const runtime::CreateOptions& options);
  Result<ExternalCall> spawn_create(const ExternalProgram::Command& command,
                                    const runtime::CreateOptions& options);
  bool has_ended() const;

  Loop& loop_;
  const ExternalRuntime runtime_;
  const std::string directory_;
  std::optional<ExternalProgram> program_;
  std::optional<sys::Cgroup> cgroup_;
  std::string unit_;  ///< systemd's
  std::unique_ptr<Orphans> orphans_;
  sys::Process process_;
  sys::Fd console_;
  bool paused_ = false;
};

Result<void> ExternalBackend::create(runtime::CreateOptions options) {
  program_.emplace(runtime_, options.id, directory_);
  auto place = TRY(cgroup_of(options));
  cgroup_.emplace(TRY(sys::CgroupLayout::detect()), place.cgroup);
  unit_ = std::move(place.unit);
  orphans_ = TRY(Orphans::adopt(loop_));
  UndoStack undo;
  undo.add([this] {
    if (process_.valid()) {
      (void)process_.signal(SIGKILL);
      (void)process_.wait();
    }
    if (auto removed = remove(); !removed) log::error("{}", removed.error().message());
  });
  TRY(prepare(options));
  auto created = run_create(options);
  if (!created) return created.error().with_context(kCreateFailed);
  undo.dismiss();
  return success();
}

Result<void> ExternalBackend::prepare(const runtime::CreateOptions& options) {
  if (options.rootfs.size() != 1 || !options.rootfs.front().destination.empty())
    return fail(Kind::Unsupported, "runtime {} cannot be given a root file system of {} parts", runtime_.name,
                options.rootfs.size());
  TRY(sys::remove_tree(directory_));
  const std::string rootfs = program_->file("bundle/rootfs");
  TRY(sys::make_directories(rootfs, 0711));
  return sys::replace_file(program_->file("bundle/config.json"),
                           TRY(external_config(options, rootfs, runtime_.init)), 0600);
}

/// The runtime, and through it the container, are the only ones that see the root file system mounted.
Result<ExternalCall> ExternalBackend::spawn_create(const ExternalProgram::Command& command,
                                                   const runtime::CreateOptions& options) {
  auto mounts = TRY(sys::PrivateMounts::enter());
  TRY(mount_rootfs(mounts, options.rootfs.front(), program_->file("bundle/rootfs")));
  return program_->spawn(command);
}

Result<void> ExternalBackend::run_create(const runtime::CreateOptions& options) {
  const std::string pid_file = program_->file("init.pid");
  ExternalProgram::Command command{
      .words = {"create", "--bundle", program_->file("bundle"), "--pid-file", pid_file}};
  std::optional<ConsoleSocket> console;
  if (options.config.process->terminal) {
    console.emplace(TRY(ConsoleSocket::create(directory_, "console.sock")));
    command.words.insert(command.words.end(), {"--console-socket", console->path()});
  } else {
    command.streams = options.streams;
  }
  command.words.push_back(options.id);
  auto call = spawn_create(command, options);
  auto done = call ? call->finish(kExternalMake) : Result<void>(call.error());
  if (!done) return program_->explain("OCI runtime create", command, done.error());
  process_ = TRY_CONTEXT(process_in(pid_file), "failed to retrieve OCI runtime container pid");
  if (console) console_ = TRY(console->receive());
  return success();
}

Result<void> ExternalBackend::start() {
  TRY(program_->run("OCI runtime start", {.words = {"start", program_->id()}}, kExternalMake));
  return success();
}

bool ExternalBackend::has_ended() const {
  pollfd ended{.fd = process_.pidfd().get(), .events = POLLIN, .revents = 0};
  return ::poll(&ended, 1, 0) > 0;
}

Result<void> ExternalBackend::signal(int signal) {
  if (has_ended()) return fail(Kind::NotFound, "process {} has ended", process_.pid());
  auto sent = program_->run("", {.words = {"kill", program_->id(), std::to_string(signal)}});
  // Paused programs do not die. Some runtimes have seen to that by now, and refuse to do it again.
  if (signal == SIGKILL) (void)pause(false);
  if (sent) return success();
  if (has_ended()) return fail(Kind::NotFound, "process {} has ended", process_.pid());
  if (signal != SIGKILL) return sent.error().with_context("unknown error after kill");
  log::warning("container {}: {}; it is killed directly", program_->id(), sent.error().message());
  return process_.signal(SIGKILL);
}

Result<void> ExternalBackend::pause(bool paused) {
  if (!paused && !std::exchange(paused_, false)) return success();
  TRY(program_->run(paused ? "OCI runtime pause" : "OCI runtime resume",
                    {.words = {paused ? "pause" : "resume", program_->id()}}));
  paused_ = paused;
  return success();
}

Result<void> ExternalBackend::update(const spec::oci::Resources& resources) {
  TRY(program_->run(
      "", {.words = {"update", "--resources", "-", program_->id()}, .input = json::encode(resources)}));
  return success();
}

Result<std::vector<pid_t>> ExternalBackend::processes() {
  const std::string text = TRY(program_->run("", {.words = {"ps", "--format", "json", program_->id()}}));
  const auto value = TRY_CONTEXT(json::parse(text), "{} ps", runtime_.path);
  const auto* numbers = value.if_array();
  if (!numbers) return fail(Kind::Internal, "{} ps: what it printed is no list of processes", runtime_.path);
  std::vector<pid_t> pids;
  for (const auto& number : *numbers)
    if (number.is_int64()) pids.push_back(static_cast<pid_t>(number.get_int64()));
  return pids;
}

/// Each step is tried, whatever became of the one before.
Result<void> ExternalBackend::remove() {
  if (!program_) return success();
  auto removed = program_->remove();
  if (auto cgroup = remove_cgroup(*cgroup_, unit_); !cgroup && removed) removed = std::move(cgroup);
  if (auto files = sys::remove_tree(directory_); !files && removed) removed = std::move(files);
  return removed;
}

}  // namespace

std::unique_ptr<Backend> external_backend(Loop& loop, ExternalRuntime runtime, std::string directory) {
  return std::make_unique<ExternalBackend>(loop, std::move(runtime), std::move(directory));
}

}  // namespace skiff::monitor
