#include <csignal>
#include <set>

#include "base/log.h"
#include "engine/execs.h"
#include "engine/health.h"
#include "engine/lifecycle.h"
#include "engine/network_setup.h"
#include "engine/restart_policy.h"
#include "engine/workers.h"
#include "sys/file.h"

/// What a daemon does when it finds containers of the one before it. Monitors hold the truth about what
/// lives, exit records about what ended; the tables say only what was meant.
namespace skiff::engine {
namespace {

constexpr std::string_view kSnapshotPrefix = "container-";

/// The exit of a container that ended without anybody to write it down: the machine lost power.
runner::Exit unknown_exit(const RunState& run) {
  runner::Exit exit;
  exit.code = 255;
  exit.started = run.started_at;
  exit.finished = now();
  return exit;
}

}  // namespace

void Lifecycle::adopt(Container& container, std::shared_ptr<runner::Task> task) {
  const auto published = parts_.networks.published(container.id);
  auto sockets = task->kept("dns");
  {
    const MutexLock lock(container.mutex);
    RunState& run = container.run;
    if (!is_running(run.state)) run.state = State::Running;
    run.pid = task->pid();
    if (run.started_at == Time{}) run.started_at = now();
    if (published.ok()) run.ports = port_map(*published);
    container.running_since = run.started_at;
    container.task = task;
  }
  if (sockets.ok() && !sockets->empty()) {
    const auto served =
        parts_.networks.serve_dns(container.id, std::move(*sockets), container.definition_now().host.dns);
    if (!served.ok()) log::warning("names for container {}: {}", container.id, served.error().message());
  }
}

/// The daemon died in the middle of a start that nobody was told to have worked: it is as if it had failed.
void Lifecycle::undo_half_start(Container& container, runner::Task& task) {
  if (auto released = task.release(); !released.ok())
    log::warning("container {}: {}", container.id, released.error().message());
  if (!container.definition_now().host.auto_remove) return;
  if (auto removed = destroy_locked(container, true); !removed.ok())
    log::error("removing container {}: {}", container.id, removed.error().message());
}

bool Lifecycle::recover_one(const std::shared_ptr<Container>& container) {
  const MutexLock operation(container->operation);
  const RunState before = container->run_now();
  if (before.state == State::Removing || before.state == State::Dead) {
    if (auto removed = destroy_locked(*container, container->definition_now().host.auto_remove);
        !removed.ok())
      log::error("removing container {}: {}", container->id, removed.error().message());
    return false;
  }
  auto task = parts_.runner->recover(container->id);
  if (task.ok()) {
    if (!(*task)->has_started()) {
      undo_half_start(*container, **task);
      return false;
    }
    adopt(*container, std::move(task).value());
    return true;
  }
  if (!is_running(before.state) && before.state != State::Created) return false;
  const auto record = runner::Runner::exit_record(container_directory(parts_.config, container->id));
  if (!record.ok()) log::warning("exit record of {}: {}", container->id, record.error().message());
  const bool has_record = record.ok() && record->has_value();
  // A record older than the start belongs to the run before.
  const bool fresh = has_record && (*record)->finished >= before.started_at;
  if (before.state == State::Created && !(fresh && (*record)->started != Time{})) return false;
  {
    const MutexLock lock(container->mutex);
    container->running_since = before.started_at;
    if (container->run.state == State::Created) container->run.intent = Intent::Run;
  }
  // One that removes itself is met again, with its end, once all are recovered.
  (void)finish(container, fresh ? **record : unknown_exit(before));
  return false;
}

void Lifecycle::end_forgotten_monitors() {
  const auto ids = parts_.runner->monitors();
  if (!ids.ok()) return log::warning("monitors: {}", ids.error().message());
  for (const std::string& id : *ids) {
    if (set_.by_id(id)) continue;
    // Its record is gone: a create that never finished, or a build's step whose daemon died.
    const auto task = parts_.runner->recover(id);
    if (!task.ok()) continue;
    (void)(*task)->kill(SIGKILL);
    (void)(*task)->release();
  }
}

void Lifecycle::remove_half_made() {
  const std::string temporary = temporary_directory(parts_.config);
  if (const auto names = sys::list_directory(temporary); names.ok()) {
    parts_.workers.post([this] { clear_removed(); });
    for (const std::string& name : *names) {
      if (name.starts_with(kRemovedPrefix)) continue;
      parts_.workers.post([path = temporary + "/" + name] {
        if (auto removed = sys::remove_tree(path); !removed.ok())
          log::warning("{}", removed.error().message());
      });
    }
  }
  const std::string root = parts_.config.data_root + "/containers";
  if (const auto names = sys::list_directory(root); names.ok()) {
    for (const std::string& name : *names) {
      if (set_.by_id(name)) continue;
      for (const auto& released : {parts_.volumes.release(name), disconnect_networks(parts_, name)})
        if (!released.ok()) log::warning("container {}: {}", name, released.error().message());
      if (auto removed = sys::remove_tree(root + "/" + name); !removed.ok())
        log::warning("{}", removed.error().message());
    }
  }
  const auto snapshots = parts_.images.snapshots().list();
  if (!snapshots.ok()) return log::warning("snapshots: {}", snapshots.error().message());
  for (const auto& snapshot : *snapshots) {
    if (!snapshot.key.starts_with(kSnapshotPrefix) || set_.by_id(snapshot.key.substr(kSnapshotPrefix.size())))
      continue;
    if (auto removed = parts_.images.snapshots().remove(snapshot.key); !removed.ok())
      log::warning("snapshot {}: {}", snapshot.key, removed.error().message());
  }
}

Result<void> Lifecycle::recover() {
  end_forgotten_monitors();
  std::vector<std::string> alive;
  std::vector<std::shared_ptr<Container>> running;
  for (const auto& container : set_.all()) {
    if (recover_one(container)) {
      alive.push_back(container->id);
      running.push_back(container);
    }
  }
  TRY_CONTEXT(parts_.networks.reconcile(alive), "networks");
  remove_half_made();
  for (const auto& container : running) health_.resumed(container);
  for (const auto& container : set_.all()) {
    const Definition definition = container->definition_now();
    const RunState run = container->run_now();
    if (is_running(run.state) || run.state == State::Removing) continue;
    if (definition.host.auto_remove && run.state == State::Exited) {
      if (auto removed = destroy(container, true); !removed.ok())
        log::error("removing container {}: {}", container->id, removed.error().message());
      continue;
    }
    const bool again =
        run.state == State::Restarting || should_start_with_daemon(definition.host.restart_policy, run);
    if (!again) continue;
    {
      const MutexLock lock(container->mutex);
      if (container->restart_timer != 0) continue;  // finish() has seen to it
      container->run.state = State::Restarting;
      container->run.intent = Intent::Run;
    }
    schedule_restart(container, std::chrono::milliseconds(0));
  }
  return {};
}

}  // namespace skiff::engine
