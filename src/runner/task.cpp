#include "runner/task.h"

#include "monitor/external_program.h"
#include "sys/file.h"
#include "sys/systemd.h"

namespace skiff::runner {
namespace {

using namespace std::chrono_literals;

/// A monitor answers at once, unless it is stopped or the disk hangs.
constexpr std::chrono::milliseconds kQuick = 5s;
/// What waits for file systems: mounting, execve, freezing.
constexpr std::chrono::milliseconds kSlow = 20s;
/// The same where the monitor waits for others: longer than it lets an external runtime run, or systemd
/// think.
constexpr std::chrono::milliseconds kOthersQuick = monitor::kExternalQuick + 5s;
constexpr std::chrono::milliseconds kOthersSlow = 2 * monitor::kExternalMake + 10s;
static_assert(kOthersQuick > sys::Systemd::kQuick && kOthersSlow > sys::Systemd::kStart);

monitor::AttachmentHeader header_of(Attachment& attachment) {
  return {.early_input = std::move(attachment.early_input),
          .standard_input = attachment.standard_input,
          .standard_output = attachment.standard_output,
          .standard_error = attachment.standard_error,
          .multiplexed = attachment.multiplexed,
          .detach_keys = std::move(attachment.detach_keys)};
}

}  // namespace

Exit to_exit(const monitor::ExitStatus& status) {
  return {.code = status.code,
          .oom_killed = status.oom_killed,
          .started = status.started,
          .finished = status.finished,
          .error = status.error};
}

std::chrono::milliseconds MonitorTask::quick() const { return others_ ? kOthersQuick : kQuick; }
std::chrono::milliseconds MonitorTask::slow() const { return others_ ? kOthersSlow : kSlow; }

template <typename Request>
Result<void> MonitorTask::command(std::string_view type, const Request& request) {
  TRY(link_.call(type, json::to_value(request), {}, quick()));
  return success();
}

Result<void> MonitorTask::create(Bundle bundle, std::string run_directory, std::string seccomp_cache) {
  state_directory_ = bundle.state_directory;
  others_ = bundle.runtime.has_value() || bundle.systemd_cgroup;
  monitor::CreateRequest request{.id = bundle.id,
                                 .config = std::move(bundle.config),
                                 .seccomp = std::move(bundle.seccomp),
                                 .run_directory = std::move(run_directory),
                                 .state_directory = std::move(bundle.state_directory),
                                 .seccomp_cache = std::move(seccomp_cache),
                                 .log = std::move(bundle.log),
                                 .open_stdin = bundle.open_stdin,
                                 .stdin_once = bundle.stdin_once,
                                 .init = bundle.init,
                                 .ephemeral = bundle.ephemeral,
                                 .systemd_cgroup = bundle.systemd_cgroup,
                                 .runtime = std::move(bundle.runtime)};
  for (spec::Mount& mount : bundle.rootfs) request.rootfs.emplace_back(std::move(mount));
  std::vector<sys::Fd> clients;
  std::size_t next = 0;
  for (; next < bundle.attachments.size() && next < monitor::kMaxDescriptors; ++next) {
    request.attachments.push_back(header_of(bundle.attachments[next]));
    clients.push_back(std::move(bundle.attachments[next].client));
  }
  // Clients that one message cannot carry must not miss the first output.
  request.start = bundle.start && next == bundle.attachments.size();
  auto answer = TRY(link_.call(monitor::type::kCreate, json::to_value(request), std::move(clients), slow()));
  pid_ = TRY(json::from_value<monitor::CreateReply>(std::move(answer.body))).pid;
  if (answer.fds.size() != 2)
    return fail(Kind::Internal, "monitor: {} descriptors for create", answer.fds.size());
  pidfd_ = std::move(answer.fds[0]);
  {
    const MutexLock lock(mutex_);
    network_namespace_ = std::move(answer.fds[1]);
  }
  started_ = request.start;
  for (; next < bundle.attachments.size(); ++next) TRY(attach(std::move(bundle.attachments[next])));
  if (bundle.start && !request.start) return start();
  return success();
}

Result<monitor::StateReply> MonitorTask::take_over() {
  auto answer = TRY(link_.call(monitor::type::kState, json::Object(), {}, quick()));
  auto state = TRY(json::from_value<monitor::StateReply>(std::move(answer.body)));
  state_directory_ = state.state_directory;
  others_ = !state.runtime.empty() || !state.unit.empty();
  pid_ = state.pid;
  monitor_pid_ = state.monitor_pid;
  started_ = state.phase == "running" || state.phase == "exited";
  if (!answer.fds.empty()) pidfd_ = std::move(answer.fds[0]);
  return state;
}

Result<sys::Fd> MonitorTask::network_namespace() {
  {
    const MutexLock lock(mutex_);
    if (network_namespace_.valid()) return sys::duplicate(network_namespace_);
  }
  auto answer = TRY(link_.call(monitor::type::kNetworkNamespace, json::Object(), {}, quick()));
  if (answer.fds.size() != 1) return fail(Kind::Internal, "monitor: no network namespace in its answer");
  return std::move(answer.fds[0]);
}

Result<void> MonitorTask::start() {
  auto started = link_.call(monitor::type::kStart, json::Object(), {}, slow());
  {
    const MutexLock lock(mutex_);
    network_namespace_.reset();
  }
  if (!started) {
    // The caller is told here and now; there will be no event.
    if (started.error().kind() != Kind::Unavailable && started.error().kind() != Kind::NotModified &&
        started.error().kind() != Kind::Conflict) {
      first_end();
    }
    return std::move(started).error();
  }
  started_ = true;
  return success();
}

Result<void> MonitorTask::kill(int signal) {
  return command(monitor::type::kSignal, monitor::SignalRequest{.exec = "", .signal = signal});
}

Result<void> MonitorTask::kill_exec(const std::string& exec_id, int signal) {
  return command(monitor::type::kSignal, monitor::SignalRequest{.exec = exec_id, .signal = signal});
}

Result<void> MonitorTask::resize(std::uint16_t columns, std::uint16_t rows) {
  return command(monitor::type::kResize,
                 monitor::ResizeRequest{.exec = "", .columns = columns, .rows = rows});
}

Result<void> MonitorTask::resize_exec(const std::string& exec_id, std::uint16_t columns, std::uint16_t rows) {
  return command(monitor::type::kResize,
                 monitor::ResizeRequest{.exec = exec_id, .columns = columns, .rows = rows});
}

Result<void> MonitorTask::attach(Attachment attachment) {
  auto header = header_of(attachment);
  std::vector<sys::Fd> clients;
  clients.push_back(std::move(attachment.client));
  TRY(link_.call(monitor::type::kAttach, json::to_value(header), std::move(clients), quick()));
  return success();
}

Result<void> MonitorTask::pause() {
  TRY(link_.call(monitor::type::kPause, json::Object(), {}, slow()));
  return success();
}

Result<void> MonitorTask::resume() {
  TRY(link_.call(monitor::type::kResume, json::Object(), {}, slow()));
  return success();
}

Result<void> MonitorTask::update(const spec::oci::Resources& resources) {
  return command(monitor::type::kUpdate, monitor::UpdateRequest{.resources = resources});
}

Result<std::string> MonitorTask::stats() {
  auto answer = TRY(link_.call(monitor::type::kStats, json::Object(), {}, quick()));
  return TRY(json::from_value<monitor::StatsReply>(std::move(answer.body))).json;
}

Result<std::vector<pid_t>> MonitorTask::processes() {
  auto answer = TRY(link_.call(monitor::type::kProcesses, json::Object(), {}, quick()));
  return TRY(json::from_value<monitor::ProcessesReply>(std::move(answer.body))).pids;
}

Result<pid_t> MonitorTask::exec(ExecRequest request) {
  if (request.attachments.size() > monitor::kMaxDescriptors) {
    return fail(Kind::InvalidArgument, "{} clients attached to one exec", request.attachments.size());
  }
  monitor::ExecRequest wire{.id = std::move(request.id),
                            .process = std::move(request.process),
                            .open_stdin = request.open_stdin,
                            .attachments = {}};
  std::vector<sys::Fd> clients;
  for (Attachment& attachment : request.attachments) {
    wire.attachments.push_back(header_of(attachment));
    clients.push_back(std::move(attachment.client));
  }
  auto answer = TRY(link_.call(monitor::type::kExec, json::to_value(wire), std::move(clients), slow()));
  return TRY(json::from_value<monitor::ExecReply>(std::move(answer.body))).pid;
}

Result<void> MonitorTask::keep(const std::string& name, const std::vector<int>& fds) {
  if (fds.size() > monitor::kMaxDescriptors) {
    return fail(Kind::InvalidArgument, "{} descriptors to keep as one", fds.size());
  }
  std::vector<sys::Fd> copies;
  for (const int fd : fds) {
    copies.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!copies.back().valid()) return fail_errno("keep descriptor {}", fd);
  }
  TRY(link_.call(monitor::type::kKeep, json::to_value(monitor::KeepRequest{.name = name}), std::move(copies),
                 quick()));
  return success();
}

Result<std::vector<sys::Fd>> MonitorTask::kept(const std::string& name) {
  auto answer =
      TRY(link_.call(monitor::type::kKept, json::to_value(monitor::KeepRequest{.name = name}), {}, quick()));
  return std::move(answer.fds);
}

Result<void> MonitorTask::release() {
  if (released_.exchange(true)) return success();
  auto done = link_.call(monitor::type::kRelease, json::Object(), {}, quick());
  if (done) return success();
  if (done.error().kind() == Kind::Conflict) {
    released_ = false;
    return std::move(done).error();
  }
  // One that did not hear it, or stands still, sees that we have left as soon as it can.
  link_.hang_up();
  if (done.error().kind() == Kind::Unavailable) return success();  // gone is as good as released
  return std::move(done).error();
}

}  // namespace skiff::runner
