#include "monitor/monitor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "monitor/container_cgroup.h"
#include "monitor/log_factory.h"
#include "sys/file.h"
#include "sys/memory.h"
#include "sys/socket.h"

namespace skiff::monitor {
namespace {

/// How long the first process may take to come up, beside what others do for it; less than the daemon waits.
constexpr std::chrono::milliseconds kStartLimit{15000};
constexpr std::chrono::milliseconds kRecordRetry{5000};
/// How long a monitor that has nothing else to do waits for slow clients to take their last output.
constexpr std::chrono::milliseconds kLastClients{30000};

/// A file of the container's own: the daemon's standard error may go away with the daemon.
Result<void> complain_to(const std::string& path) {
  const sys::Fd file = TRY(sys::open_file(path, O_WRONLY | O_CREAT | O_APPEND, 0600));
  if (::dup2(file.get(), STDERR_FILENO) < 0) return fail_errno("dup2");
  return success();
}

}  // namespace

const Monitor::Verb Monitor::kVerbs[] = {
    {type::kCreate, &Monitor::create},
    {type::kState, &Monitor::state},
    {type::kNetworkNamespace, &Monitor::network_namespace},
    {type::kStart, &Monitor::start},
    {type::kSignal, &Monitor::signal},
    {type::kResize, &Monitor::resize},
    {type::kAttach, &Monitor::attach},
    {type::kPause, &Monitor::pause},
    {type::kResume, &Monitor::resume},
    {type::kUpdate, &Monitor::update},
    {type::kStats, &Monitor::stats},
    {type::kProcesses, &Monitor::processes},
    {type::kExec, &Monitor::exec},
    {type::kKeep, &Monitor::keep},
    {type::kKept, &Monitor::kept},
    {type::kRelease, &Monitor::release},
};

Monitor::Monitor(Loop& loop, BackendFactory backends, std::span<char> title)
    : loop_(loop), backends_(backends), title_(title) {}
Monitor::~Monitor() = default;

Result<void> Monitor::open(sys::Fd daemon) {
  // The parsed configuration of the container is long gone when the monitor comes to rest.
  loop_.set_idle([this] {
    Streams::trim();
    if (log_) log_->trim();
    sys::trim_memory();
  });
  return connect(std::move(daemon));
}

Result<void> Monitor::connect(sys::Fd socket) {
  finish_ended_execs();  // what was said to another daemon this one learns from the state
  const std::uint64_t number = connection_number_ + 1;
  connection_ = TRY(Connection::create(loop_, std::move(socket),
                                       {.message = [this](Message message) { serve(std::move(message)); },
                                        .closed = [this, number] { disconnected(number); }}));
  connection_number_ = number;
  return success();
}

void Monitor::accept_daemon() {
  sys::Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket.valid()) return;
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
      (peer.uid != ::geteuid() && peer.uid != 0)) {
    return;
  }
  if (auto connected = connect(std::move(socket)); !connected) log::error("{}", connected.error().message());
}

void Monitor::disconnected(std::uint64_t number) {
  if (connection_number_ != number) return;  // it was replaced meanwhile
  connection_.reset();
  finish_ended_execs();
  if (phase_ == Phase::Empty || phase_ == Phase::Exited) end();
}

void Monitor::serve(Message message) {
  if (!connection_) return;
  if (message.id == 0) return take_notice(message);
  auto answer = dispatch(message);
  if (!answer || !answer->later) reply(message.id, std::move(answer));
}

void Monitor::reply(std::uint64_t request, Result<Answer> answer) {
  auto packed = answer ? pack(request, type::kAnswer, std::move(answer->body), std::move(answer->fds))
                       : pack(request, type::kError, json::to_value(Failure::of(answer.error())));
  if (packed)
    connection_->send(*std::move(packed));
  else
    log::error("answer {}: {}", request, packed.error().message());
}

Result<Monitor::Answer> Monitor::dispatch(Message& message) {
  if (message.version > kProtocolVersion) {
    return fail(Kind::Unsupported, "monitor speaks protocol version {}, not {}", kProtocolVersion,
                message.version);
  }
  for (const Verb& verb : kVerbs) {
    if (verb.name == message.type) return (this->*verb.serve)(message);
  }
  return fail(Kind::Unsupported, "monitor does not know the request \"{}\"", message.type);
}

void Monitor::push(std::string_view event, const EventMessage& body) {
  if (!connection_) return;
  if (auto packed = pack(0, event, json::to_value(body))) connection_->send(*std::move(packed));
}

Result<void> Monitor::require_live() const {
  if (phase_ == Phase::Created || phase_ == Phase::Running) return success();
  return fail(Kind::NotFound, "container {} is not running", id_);
}

// --- making it
// ---------------------------------------------------------------------------------------------------

Result<Monitor::Answer> Monitor::create(Message& message) {
  if (phase_ != Phase::Empty) return fail(Kind::Conflict, "container {} was created already", id_);
  auto request = TRY(json::from_value<CreateRequest>(std::move(message.body)));
  if (request.attachments.size() != message.fds.size()) {
    return fail(Kind::InvalidArgument, "{} attachments with {} descriptors", request.attachments.size(),
                message.fds.size());
  }
  TRY(prepare(request));
  for (std::size_t i = 0; i < message.fds.size(); ++i) {
    TRY(streams_->attach(std::move(request.attachments[i]), std::move(message.fds[i])));
  }
  TRY(make_container(request));
  phase_ = Phase::Created;
  Answer answer{.body = json::to_value(CreateReply{.pid = backend_->process().pid()}), .fds = {}};
  answer.fds.push_back(TRY(sys::duplicate(backend_->process().pidfd())));
  const std::string path = fmt::format("/proc/{}/ns/net", backend_->process().pid());
  auto network = sys::open_file(path, O_RDONLY);
  // The first process has ended: what it has to say of that is read by its start.
  if (!network && network.error().code() == ENOENT) TRY(run_program());
  answer.fds.push_back(TRY(std::move(network)));
  if (request.start) TRY(run_program());  // last: the program may have ended a moment later
  return answer;
}

Result<void> Monitor::prepare(CreateRequest& request) {
  id_ = request.id;
  run_directory_ = request.run_directory;
  state_directory_ = request.state_directory;
  open_stdin_ = request.open_stdin;
  ephemeral_ = request.ephemeral;
  if (request.runtime) runtime_ = request.runtime->name;
  if (!request.config.process) return fail(Kind::InvalidArgument, "the configuration has no process");
  TRY(sys::make_directories(run_directory_, 0700));
  TRY(complain_to(run_directory_ + "/monitor.log"));
  std::fill(std::copy_n(id_.begin(), std::min(id_.size(), title_.size()), title_.begin()), title_.end(), ' ');
  TRY(sys::make_directories(state_directory_, 0700));
  TRY(remove_exit_record(state_directory_));
  log_ = TRY(make_log(loop_, request.log, [this] {
    streams_->log_relieved();
    end_when_clients_left();
  }));
  streams_ = std::make_unique<Streams>(loop_, Streams::Options{.log = log_.get(),
                                                               .written =
                                                                   [this] {
                                                                     if (std::exchange(log_dirty_, true))
                                                                       return;
                                                                     loop_.defer([this] { flush_log(); });
                                                                   },
                                                               .close_stdin = request.stdin_once,
                                                               .drained = [this] { output_drained(); },
                                                               .left = [this] { end_when_clients_left(); }});
  listener_ = TRY(sys::listen_packets(run_directory_ + "/monitor.sock"));
  listener_watch_ = TRY(loop_.watch(listener_, EPOLLIN, [this](std::uint32_t) { accept_daemon(); }));
  return success();
}

Result<void> Monitor::make_container(CreateRequest& request) {
  StreamPipes pipes;
  if (!request.config.process->terminal) pipes = TRY(StreamPipes::create(open_stdin_, true));
  neutral_oom_score(*request.config.process);
  runtime::CreateOptions options{
      .id = request.id, .config = std::move(request.config), .systemd_cgroup = request.systemd_cgroup};
  auto place = TRY(cgroup_of(options));
  unit_ = std::move(place.unit);
  TRY(write_remains(run_directory_, {.cgroup = place.cgroup,
                                     .unit = unit_,
                                     .state_directory = state_directory_,
                                     .runtime = request.runtime}));
  backend_ = backends_(loop_, request);
  for (const auto& mount : request.rootfs) options.rootfs.push_back(mount);
  options.bundle = state_directory_;
  options.streams = pipes.for_program();
  options.init = request.init;
  options.seccomp_profile = std::move(request.seccomp);
  options.seccomp_cache = request.seccomp_cache;
  options.patience = kStartLimit;
  TRY(backend_->create(std::move(options)));
  pipes.ours.console = backend_->take_console();
  TRY(streams_->open(std::move(pipes.ours)));
  process_watch_ =
      TRY(loop_.watch(backend_->process().pidfd(), EPOLLIN, [this](std::uint32_t) { container_ended(); }));
  oom_kills_ = backend_->oom_kills();
  oom_fd_ = backend_->oom_watch();
  if (oom_fd_.valid()) {
    auto watch =
        loop_.watch(oom_fd_, EPOLLIN | EPOLLPRI | EPOLLET, [this](std::uint32_t) { look_for_oom(); });
    if (watch) oom_watch_ = *std::move(watch);
  }
  return success();
}

Result<Monitor::Answer> Monitor::start(Message&) {
  if (phase_ == Phase::Running) return fail(Kind::NotModified, "container {} runs already", id_);
  if (phase_ != Phase::Created) return fail(Kind::Conflict, "container {} is not waiting for its start", id_);
  TRY(run_program());
  return Answer{};
}

Result<void> Monitor::run_program() {
  exit_.started = now();
  auto started = backend_->start();
  if (started) {
    phase_ = Phase::Running;
    return success();
  }
  // The program never ran. That is recorded before it is told, like any other end; there is no event, the
  // caller knows.
  process_watch_.reset();
  (void)backend_->process().signal(SIGKILL);
  (void)backend_->process().wait();
  exit_.finished = now();
  exit_.error = started.error().message();
  const Kind kind = started.error().kind();
  exit_.code = kind == Kind::NotFound ? 127 : kind == Kind::Forbidden ? 126 : 128;
  phase_ = Phase::Exited;
  if (auto written = write_record(); !written) {
    log::error("container {}: {}", id_, written.error().message());
  }
  streams_->finish_clients();
  return std::move(started).error();
}

// --- its end
// -----------------------------------------------------------------------------------------------------

void Monitor::container_ended() {
  process_watch_.reset();
  const auto status = backend_->process().wait();
  exit_.finished = now();
  exit_.code = status ? exit_code(*status) : 255;
  if (!status) log::error("container {}: {}", id_, status.error().message());
  look_for_oom();
  oom_watch_.reset();
  phase_ = Phase::Ending;
  streams_->process_ended();
}

/// The clients of a container need not wait for the daemon: they ask for its end with a call that waits.
void Monitor::output_drained() {
  flush_log();
  streams_->finish_clients();
  record_exit();
}

/// Nobody is told before the record is on disk. While the disk refuses it, this process is the record.
void Monitor::record_exit() {
  retry_timer_.reset();
  if (auto written = write_record(); !written) {
    log::error("container {}: {}", id_, written.error().message());
    retry_timer_ = loop_.after(kRecordRetry, [this] { record_exit(); });
    if (phase_ == Phase::Exited || !connection_) return;
    phase_ = Phase::Exited;
    return push(type::kExited, {.exec = "", .exit = exit_});
  }
  const bool told = std::exchange(phase_, Phase::Exited) == Phase::Exited;
  if (!told) push(type::kExited, {.exec = "", .exit = exit_});
  if (!connection_) return end();
  loop_.defer([this] { remove_container(); });  // while the daemon thinks about it
}

Result<void> Monitor::write_record() {
  if (log_) log_->close();
  return write_exit_record(state_directory_, exit_, !ephemeral_);
}

void Monitor::remove_container() {
  if (phase_ == Phase::Empty || std::exchange(removed_, true)) return;
  if (auto removed = backend_->remove(); !removed)
    log::error("container {}: {}", id_, removed.error().message());
}

void Monitor::look_for_oom() {
  // Reading arms the descriptor anew, be it an eventfd (version 1) or memory.events (version 2).
  char counters[512];
  if (oom_fd_.valid() && ::pread(oom_fd_.get(), counters, sizeof(counters), 0) < 0 && errno == ESPIPE) {
    (void)!::read(oom_fd_.get(), counters, sizeof(counters));
  }
  const std::uint64_t kills = backend_->oom_kills();
  if (kills <= oom_kills_) return;
  oom_kills_ = kills;
  exit_.oom_killed = true;
  push(type::kOutOfMemory, {.exec = "", .exit = exit_});
}

void Monitor::flush_log() {
  log_dirty_ = false;
  if (!log_) return;
  auto flushed = log_->flush();
  if (!flushed && !log_failed_) log::error("container {}: {}", id_, flushed.error().message());
  log_failed_ = !flushed;
}

/// Removes every trace of the container outside its state directory. What remains is to serve the clients'
/// last output.
void Monitor::end() {
  if (ending_) return;
  if (retry_timer_) return;  // the record is not on disk yet
  ending_ = true;
  listener_watch_.reset();
  listener_.reset();
  remove_container();
  if (streams_) streams_->finish_clients();
  finish_ended_execs();
  if (!run_directory_.empty()) remove_run_files(run_directory_);
  last_timer_ = loop_.after(kLastClients, [this] { loop_.stop(); });
  end_when_clients_left();
}

void Monitor::end_when_clients_left() {
  if (!ending_ || (streams_ && streams_->has_clients()) || (log_ && log_->busy())) return;
  for (const auto& session : execs_) {
    if (session->streams && session->streams->has_clients()) return;
  }
  if (connection_ && !connection_->queue_empty()) {
    last_timer_ = loop_.after(std::chrono::milliseconds(100), [this] { loop_.stop(); });
    return;
  }
  loop_.defer([this] { loop_.stop(); });
}

Result<Monitor::Answer> Monitor::release(Message&) {
  if (phase_ == Phase::Running || phase_ == Phase::Ending) {
    return fail(Kind::Conflict, "container {} is running", id_);
  }
  if (phase_ == Phase::Created) {  // nobody will start it any more
    process_watch_.reset();
    (void)backend_->process().signal(SIGKILL);
    (void)backend_->process().wait();
    phase_ = Phase::Exited;
    streams_->finish_clients();
  }
  retry_timer_.reset();  // the daemon has the record now
  end();
  return Answer{};
}

}  // namespace skiff::monitor
