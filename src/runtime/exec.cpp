#include <fcntl.h>
#include <sched.h>
#include <signal.h>

#include "base/undo.h"
#include "runtime/child.h"
#include "runtime/container.h"
#include "runtime/handshake.h"
#include "runtime/launch.h"
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

/// The child's messages up to execve, which shows as the connection's end.
Result<void> attend(const sys::Fd& socket, ExecOptions& options, Executed& executed) {
  for (;;) {
    auto received = receive(socket);
    if (!received && received.error().kind() == Kind::Unavailable) return {};
    if (!received) return std::move(received).error();
    const Packet& packet = received->packet;
    if (packet.message == Message::Console)
      executed.console = std::move(received->fd);
    else if (packet.message == Message::Warning)
      options.warnings.push_back(describe_failure(packet).message());
    else if (packet.message == Message::Failed)
      return describe_failure(packet);
    else
      return fail(Kind::Internal, "the exec'd process sent {}, which is not its to send",
                  to_string(packet.message));
  }
}

}  // namespace

Result<Executed> exec(const sys::Process& target, ExecOptions& options) {
  auto plan = TRY(make_process_plan(options.process));
  plan.streams = options.streams;
  plan.preserve_fds = options.preserve_fds;
  plan.seccomp = options.seccomp;
  Birthplace place;
  place.target_pidfd = target.pidfd().get();
  plan.keep_groups = options.keep_groups;
  place.target_namespaces = TRY(sys::joinable_namespaces(target));
  if (place.target_namespaces & CLONE_NEWTIME) {
    place.target_namespaces &= ~CLONE_NEWTIME;
    plan.time_namespace =
        TRY(sys::open_namespace(fmt::format("/proc/{}/ns/time", target.pid()), CLONE_NEWTIME));
  }
  plan.user_namespace = (place.target_namespaces & CLONE_NEWUSER) != 0;
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
  Executed executed;
  executed.process = TRY(launch(place, exec_entry, &start));
  theirs.reset();
  UndoStack undo;
  undo.add([&] {
    (void)executed.process.signal(SIGKILL);
    (void)executed.process.wait();
  });
  TRY(attend(ours, options, executed));
  undo.dismiss();
  return executed;
}

}  // namespace skiff::runtime
