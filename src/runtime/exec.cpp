#include <fcntl.h>
#include <sched.h>
#include <signal.h>

#include "base/undo.h"
#include "runtime/child.h"
#include "runtime/container.h"
#include "runtime/handshake.h"
#include "runtime/launch.h"
#include "runtime/oom_score.h"
#include "runtime/plan.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/namespace.h"
#include "sys/socket.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

namespace skiff::runtime {
namespace {

struct ExecStart {
  const ProcessPlan* plan;
  const std::vector<sys::Fd>* tasks;
  int socket;
  int procfs;
};

void exec_entry(void* argument) {
  const auto* start = static_cast<const ExecStart*>(argument);
  child::run_exec(*start->plan, *start->tasks, start->socket, start->procfs);
}

}  // namespace

struct PendingExec::State {
  Executed executed;
  sys::Fd socket;
  std::vector<std::string> warnings;
  UndoStack undo;  ///< kills the process
};

PendingExec::PendingExec(std::unique_ptr<State> state) : state_(std::move(state)) {}
PendingExec::PendingExec(PendingExec&&) noexcept = default;
PendingExec& PendingExec::operator=(PendingExec&&) noexcept = default;
PendingExec::~PendingExec() = default;

const sys::Fd& PendingExec::socket() const { return state_->socket; }
const sys::Process& PendingExec::process() const { return state_->executed.process; }
const std::vector<std::string>& PendingExec::warnings() const { return state_->warnings; }

Result<PendingExec> PendingExec::begin(const sys::Process& target, const ExecOptions& options) {
  auto plan = TRY(make_process_plan(options.process));
  plan.streams = options.streams;
  plan.preserve_fds = options.preserve_fds;
  plan.seccomp = options.seccomp;
  Birthplace place;
  place.target_pidfd = target.pidfd().get();
  plan.keep_groups = options.keep_groups;
  place.target_namespaces = TRY(sys::joinable_namespaces(target));
  plan.root = TRY(sys::open_file(fmt::format("/proc/{}/root", target.pid()), O_PATH | O_DIRECTORY));
  if (place.target_namespaces & CLONE_NEWTIME) {
    place.target_namespaces &= ~CLONE_NEWTIME;
    plan.time_namespace =
        TRY(sys::open_namespace(fmt::format("/proc/{}/ns/time", target.pid()), CLONE_NEWTIME));
  }
  plan.user_namespace = (place.target_namespaces & CLONE_NEWUSER) != 0;
  // Within a user namespace the cgroup is joined through a descriptor opened before, which may be done from
  // inside.
  if ((place.target_namespaces & CLONE_NEWCGROUP) && !plan.user_namespace) {
    place.target_namespaces &= ~CLONE_NEWCGROUP;
    plan.cgroup_namespace =
        TRY(sys::open_namespace(fmt::format("/proc/{}/ns/cgroup", target.pid()), CLONE_NEWCGROUP));
  }
  limit_capabilities(plan);

  std::vector<sys::Fd> tasks;
  sys::Fd unified;
  if (options.cgroup) {
    tasks = TRY_CONTEXT(options.cgroup->open_tasks(), "join the cgroup");
    if (const auto* hierarchy = options.cgroup->layout().unified()) {
      // Inside the user namespace we may not choose the cgroup any more; a descriptor opened before may.
      if (plan.user_namespace)
        tasks.push_back(
            TRY(sys::open_file(options.cgroup->directory(*hierarchy) + "/cgroup.procs", O_WRONLY)));
      else
        unified = TRY(options.cgroup->open_unified());
    }
  }
  place.cgroup = unified.get();
  const auto procfs = TRY(open_procfs());
  sys::Fd null;
  for (int* stream : {&plan.streams.in, &plan.streams.out, &plan.streams.err}) {
    if (*stream >= 0 || plan.terminal) continue;
    if (!null) null = TRY(sys::open_file("/dev/null", O_RDWR));
    *stream = null.get();
  }
  auto [ours, theirs] = TRY(sys::packet_pair());
  ExecStart start = {&plan, &tasks, theirs.get(), procfs.get()};
  auto state = std::make_unique<State>();
  const OomScoreForNow score(plan.user_namespace ? plan.oom_score : std::string());
  state->executed.process = TRY(launch(place, exec_entry, &start));
  theirs.reset();
  state->undo.add([raw = state.get()] {
    (void)raw->executed.process.signal(SIGKILL);
    (void)raw->executed.process.wait();
  });
  state->socket = std::move(ours);
  return PendingExec(std::move(state));
}

Result<bool> PendingExec::advance() {
  auto received = receive(state_->socket);
  // The child's end is close-on-exec.
  if (!received && received.error().kind() == Kind::Unavailable) return true;
  if (!received) return std::move(received).error();
  const Packet& packet = received->packet;
  switch (packet.message) {
    case Message::Console:
      state_->executed.console = std::move(received->fd);
      return false;
    case Message::Warning:
      state_->warnings.push_back(describe_failure(packet).message());
      return false;
    case Message::Failed:
      return describe_failure(packet);
    default:
      return fail(Kind::Internal, "the exec'd process sent {}, which is not its to send",
                  to_string(packet.message));
  }
}

Executed PendingExec::take() {
  state_->undo.dismiss();
  return std::move(state_->executed);
}

Result<Executed> exec(const sys::Process& target, ExecOptions& options) {
  auto pending = TRY(PendingExec::begin(target, options));
  while (!TRY(pending.advance())) {
  }
  options.warnings = pending.warnings();
  return pending.take();
}

}  // namespace skiff::runtime
