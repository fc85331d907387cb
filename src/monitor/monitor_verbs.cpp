// What a daemon may ask of a living container; monitor.cpp has its life cycle.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.h"
#include "base/undo.h"
#include "monitor/monitor.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

constexpr std::size_t kRememberedExecs = 64;
/// How long a program may take to get into the container; less than the daemon waits.
constexpr std::chrono::milliseconds kExecLimit{15000};
/// How long the clients of an exec that ended wait for a daemon that is there but stopped.
constexpr std::chrono::milliseconds kRecordLimit{5000};

std::string_view phase_name(Monitor::Phase phase) {
  switch (phase) {
    case Monitor::Phase::Empty:
      return "empty";
    case Monitor::Phase::Created:
      return "created";
    case Monitor::Phase::Running:
      return "running";
    case Monitor::Phase::Ending:
      return "running";  // for the daemon it runs until its record is on disk
    case Monitor::Phase::Exited:
      return "exited";
  }
  return "";
}

}  // namespace

Result<Monitor::Answer> Monitor::state(Message&) {
  StateReply reply{.id = id_,
                   .phase = std::string(phase_name(phase_)),
                   .pid = phase_ == Phase::Empty ? 0 : backend_->process().pid(),
                   .monitor_pid = ::getpid(),
                   .runtime = runtime_,
                   .unit = unit_,
                   .paused = paused_,
                   .state_directory = state_directory_,
                   .exit = exit_};
  for (const auto& session : execs_) reply.execs.push_back(session->state());
  Answer answer{.body = json::to_value(reply), .fds = {}};
  if (require_live()) answer.fds.push_back(TRY(sys::duplicate(backend_->process().pidfd())));
  return answer;
}

Result<Monitor::Answer> Monitor::network_namespace(Message&) {
  TRY(require_live());
  Answer answer;
  answer.fds.push_back(
      TRY(sys::open_file(fmt::format("/proc/{}/ns/net", backend_->process().pid()), O_RDONLY)));
  return answer;
}

Result<ExecSession*> Monitor::find_exec(const std::string& id) {
  for (const auto& session : execs_) {
    if (session->id == id) return session.get();
  }
  return fail(Kind::NotFound, "No such exec instance: {}", id);
}

Result<Monitor::Answer> Monitor::signal(Message& message) {
  const auto request = TRY(json::from_value<SignalRequest>(std::move(message.body)));
  if (request.exec.empty()) {
    TRY(require_live());
    TRY(backend_->signal(request.signal));
    // A frozen process dies only once it runs again.
    if (request.signal == SIGKILL && std::exchange(paused_, false)) TRY(backend_->pause(false));
  } else {
    const ExecSession* session = TRY(find_exec(request.exec));
    if (session->reaped) return fail(Kind::NotFound, "exec {} has ended", request.exec);
    TRY(session->process.signal(request.signal));
  }
  return Answer{};
}

Result<Monitor::Answer> Monitor::resize(Message& message) {
  const auto request = TRY(json::from_value<ResizeRequest>(std::move(message.body)));
  Streams* streams = streams_.get();
  if (!request.exec.empty()) {
    const ExecSession* session = TRY(find_exec(request.exec));
    if (!session->running) return fail(Kind::NotFound, "exec {} has ended", request.exec);
    streams = session->streams.get();
  } else {
    TRY(require_live());
  }
  if (!streams) return fail(Kind::Conflict, "the process has no terminal");
  TRY(streams->resize(request.columns, request.rows));
  return Answer{};
}

Result<Monitor::Answer> Monitor::attach(Message& message) {
  auto header = TRY(json::from_value<AttachmentHeader>(std::move(message.body)));
  if (message.fds.size() != 1) return fail(Kind::InvalidArgument, "attach wants one descriptor");
  TRY(require_live());
  TRY(streams_->attach(std::move(header), std::move(message.fds[0])));
  return Answer{};
}

Result<Monitor::Answer> Monitor::pause(Message&) {
  TRY(require_live());
  TRY(backend_->pause(true));
  paused_ = true;
  return Answer{};
}

Result<Monitor::Answer> Monitor::resume(Message&) {
  TRY(require_live());
  TRY(backend_->pause(false));
  paused_ = false;
  return Answer{};
}

Result<Monitor::Answer> Monitor::update(Message& message) {
  const auto request = TRY(json::from_value<UpdateRequest>(std::move(message.body)));
  TRY(require_live());
  TRY(backend_->update(request.resources));
  return Answer{};
}

Result<Monitor::Answer> Monitor::stats(Message&) {
  TRY(require_live());
  return Answer{.body = json::to_value(StatsReply{.json = TRY(backend_->stats())}), .fds = {}};
}

Result<Monitor::Answer> Monitor::processes(Message&) {
  TRY(require_live());
  ProcessesReply reply;
  for (const pid_t pid : TRY(backend_->processes())) reply.pids.push_back(pid);
  return Answer{.body = json::to_value(reply), .fds = {}};
}

Result<Monitor::Answer> Monitor::keep(Message& message) {
  const auto request = TRY(json::from_value<KeepRequest>(std::move(message.body)));
  if (message.fds.empty())
    kept_.erase(request.name);
  else
    kept_[request.name] = std::move(message.fds);
  return Answer{};
}

Result<Monitor::Answer> Monitor::kept(Message& message) {
  const auto request = TRY(json::from_value<KeepRequest>(std::move(message.body)));
  Answer answer;
  const auto found = kept_.find(request.name);
  if (found == kept_.end()) return fail(Kind::NotFound, "nothing is kept as \"{}\"", request.name);
  for (const sys::Fd& fd : found->second) answer.fds.push_back(TRY(sys::duplicate(fd)));
  return answer;
}

// --- exec
// --------------------------------------------------------------------------------------------------------

Result<Monitor::Answer> Monitor::exec(Message& message) {
  auto request = TRY(json::from_value<ExecRequest>(std::move(message.body)));
  if (request.attachments.size() != message.fds.size()) {
    return fail(Kind::InvalidArgument, "{} attachments with {} descriptors", request.attachments.size(),
                message.fds.size());
  }
  if (phase_ != Phase::Running) return fail(Kind::Conflict, "container {} is not running", id_);
  // In a frozen cgroup the new process would freeze halfway, and this one would wait for it.
  if (paused_) return fail(Kind::Conflict, "Container {} is paused, unpause the container before exec", id_);
  const bool starts = std::any_of(starting_execs_.begin(), starting_execs_.end(),
                                  [&](const auto& other) { return other->session->id == request.id; });
  if (starts || find_exec(request.id)) return fail(Kind::Conflict, "exec {} exists already", request.id);

  neutral_oom_score(request.process);
  StreamPipes pipes;
  const bool attached = !request.attachments.empty();
  if (!request.process.terminal) pipes = TRY(StreamPipes::create(request.open_stdin && attached, attached));
  auto session = std::make_unique<ExecSession>();
  session->id = request.id;
  session->exit.started = now();
  ExecSession& added = *session;
  if (attached || request.process.terminal) {
    session->streams =
        std::make_unique<Streams>(loop_, Streams::Options{.close_stdin = true,
                                                          .drained = [this, &added] { exec_drained(added); },
                                                          .left = [this] { end_when_clients_left(); }});
  }
  auto pending = TRY(backend_->exec(request.id, request.process, pipes.for_program()));
  starting_execs_.push_back(
      std::make_unique<StartingExec>(StartingExec{.request = message.id,
                                                  .connection = connection_number_,
                                                  .session = std::move(session),
                                                  .pending = std::move(pending),
                                                  .pipes = std::move(pipes),
                                                  .attachments = std::move(request.attachments),
                                                  .clients = std::move(message.fds),
                                                  .watch = nullptr,
                                                  .limit = nullptr}));
  StartingExec& starting = *starting_execs_.back();
  auto watch = loop_.watch(starting.pending->ready(), EPOLLIN,
                           [this, &starting](std::uint32_t) { exec_advances(starting); });
  if (!watch) {
    starting_execs_.pop_back();
    return std::move(watch).error();
  }
  starting.watch = *std::move(watch);
  starting.limit = loop_.after(kExecLimit, [this, &starting] { give_up_exec(starting); });
  return Answer{.later = true};
}

/// The daemon that asked may have left, and another does not know the question.
void Monitor::answer_exec(StartingExec& starting, Result<Answer> answer) {
  const auto request = std::exchange(starting.request, 0);
  if (request != 0 && connection_ && starting.connection == connection_number_)
    reply(request, std::move(answer));
}

void Monitor::exec_advances(StartingExec& starting) {
  auto done = starting.pending->advance();
  if (done && !*done) return;
  if (!done)
    answer_exec(starting, std::move(done).error());
  else if (starting.limit)
    answer_exec(starting, exec_started(starting));
  // What failed or was given up is killed and reaped here; it has closed its end, so that takes no time.
  std::erase_if(starting_execs_, [&](const auto& other) { return other.get() == &starting; });
}

/// It stands still: a process of the container has stopped it, or a file system that is not the host's does
/// not answer. It is reaped when it is really gone.
void Monitor::give_up_exec(StartingExec& starting) {
  starting.limit.reset();
  starting.pending->give_up();
  answer_exec(starting, fail(Kind::Unavailable, "the process did not get into container {} within {} s", id_,
                             std::chrono::duration_cast<std::chrono::seconds>(kExecLimit).count()));
}

Result<Monitor::Answer> Monitor::exec_started(StartingExec& starting) {
  for (const std::string& warning : starting.pending->warnings())
    log::warning("exec {}: {}", starting.session->id, warning);
  auto executed = starting.pending->take();
  ExecSession& session = *starting.session;
  StreamEnds& ours = starting.pipes.ours;
  session.process = std::move(executed.process);
  ours.console = std::move(executed.console);
  UndoStack undo;
  undo.add([&session] {
    (void)session.process.signal(SIGKILL);
    (void)session.process.wait();
  });
  if (session.streams) {
    for (std::size_t i = 0; i < starting.clients.size(); ++i) {
      auto done = session.streams->attach(std::move(starting.attachments[i]), std::move(starting.clients[i]));
      if (!done) log::warning("exec {}: {}", session.id, done.error().message());
    }
    TRY(session.streams->open(std::move(ours)));
  }
  session.watch = TRY(loop_.watch(session.process.pidfd(), EPOLLIN,
                                  [this, &session](std::uint32_t) { exec_ended(session); }));
  undo.dismiss();
  execs_.push_back(std::move(starting.session));
  forget_old_execs();
  return Answer{.body = json::to_value(ExecReply{.pid = session.process.pid()}), .fds = {}};
}

void Monitor::exec_ended(ExecSession& session) {
  session.watch.reset();
  const auto status = session.process.wait();
  session.reaped = true;
  session.exit.code = status ? exit_code(*status) : 255;
  session.exit.finished = now();
  if (session.streams)
    session.streams->process_ended();
  else
    exec_drained(session);
}

void Monitor::exec_drained(ExecSession& session) {
  session.running = false;
  session.process = sys::Process(session.process.pid(), sys::Fd());  // remembered, but without its pidfd
  push(type::kExecExited, {.exec = session.id, .exit = session.exit});
  if (!session.streams) return;
  if (!connection_ || ending_ || !session.streams->has_clients()) return finish_exec(session);
  session.record_limit = loop_.after(kRecordLimit, [this, &session] { finish_exec(session); });
}

void Monitor::finish_exec(ExecSession& session) {
  session.record_limit.reset();
  if (session.streams) session.streams->finish_clients();
}

void Monitor::finish_ended_execs() {
  for (const auto& session : execs_) {
    if (!session->running) finish_exec(*session);
  }
}

/// A client may ask the daemon for the exit code as soon as its stream ends; so the stream ends only when the
/// daemon knows.
void Monitor::take_notice(Message& message) {
  if (message.type != type::kExecRecorded) return;  // from a newer daemon
  const auto recorded = json::from_value<ExecRecorded>(std::move(message.body));
  if (!recorded) return log::warning("daemon: {}", recorded.error().message());
  const auto session = find_exec(recorded->exec);
  if (session && !(*session)->running) finish_exec(**session);
}

/// A daemon that was away asks for the ends it missed; a container that runs thousands of health checks must
/// not grow.
void Monitor::forget_old_execs() {
  std::size_t ended = 0;
  for (auto session = execs_.rbegin(); session != execs_.rend(); ++session) {
    const bool idle = !(*session)->running && !((*session)->streams && (*session)->streams->has_clients());
    if (idle && ++ended > kRememberedExecs) session->reset();
  }
  std::erase(execs_, nullptr);
}

}  // namespace skiff::monitor
