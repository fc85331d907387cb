#include "base/ids.h"
#include "base/log.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/health.h"
#include "engine/lifecycle.h"
#include "engine/network_setup.h"
#include "engine/restart_policy.h"
#include "engine/workers.h"
#include "sys/file.h"

/// The end of a container: what an exit brings about, restarts, and removal.
namespace skiff::engine {
namespace {

void log_failure(const Result<void>& result, std::string_view what, const std::string& id) {
  if (!result.ok() && result.error().kind() != Kind::NotFound)
    log::warning("{} of container {}: {}", what, id, result.error().message());
}

}  // namespace

void Lifecycle::exited(const std::string& id, const runner::Exit& exit) {
  const auto container = set_.by_id(id);
  if (!container) return;
  {
    const MutexLock operation(container->operation);
    {
      const MutexLock lock(container->mutex);
      // The end of a start that failed, or of a run before this one, is no news.
      if (!is_running(container->run.state) || exit.finished < container->running_since) return;
    }
    if (finish(container, exit) == After::Keep) return parts_.runner->prepare_next();
  }
  if (auto removed = destroy(container, true); !removed.ok() && removed.error().kind() != Kind::NotFound)
    log::error("removing container {}: {}", id, removed.error().message());
  parts_.runner->prepare_next();
}

void Lifecycle::out_of_memory(const std::string& id) {
  const auto container = set_.by_id(id);
  if (!container) return;
  {
    const MutexLock lock(container->mutex);
    container->run.oom_killed = true;
  }
  publish(*container, "oom");
}

Lifecycle::After Lifecycle::finish(const std::shared_ptr<Container>& container, const runner::Exit& exit) {
  const std::string& id = container->id;
  health_.ended(*container);
  execs_.container_ended(id);
  const auto endpoints = parts_.networks.endpoints(id);
  log_failure(disconnect_networks(parts_, id), "release of the addresses", id);
  if (const auto task = container->task_now()) log_failure(task->release(), "release of the monitor", id);

  std::chrono::nanoseconds ran{};
  std::optional<std::chrono::milliseconds> delay;
  After after = After::Keep;
  {
    const MutexLock lock(container->mutex);
    RunState& run = container->run;
    ran = exit.finished - container->running_since;
    run.exit_code = exit.code;
    run.oom_killed = run.oom_killed || exit.oom_killed;
    run.error = exit.error;
    run.finished_at = exit.finished;
    run.pid = 0;
    run.ports.clear();
    if (run.health) run.health->status = "unhealthy";  // as Docker says of what nobody checks any more
    container->task.reset();
    if (!closing_ &&
        should_restart(container->definition.host.restart_policy, run.intent, exit.code, run.restart_count)) {
      run.state = State::Restarting;
      container->restart_delay = next_restart_delay(container->restart_delay, ran);
      delay = container->restart_delay;
    } else {
      run.state = State::Exited;
      if (container->definition.host.auto_remove) after = After::Remove;
    }
  }
  // Of one that goes at once the removal is stored; a crash before that finds the exit record, as ever.
  if (after == After::Keep) set_.store_state(*container);
  if (endpoints.ok()) {
    for (const auto& endpoint : *endpoints) {
      events_.publish("network", "disconnect", endpoint.network,
                      {{"container", id}, {"name", endpoint.network_name}, {"type", "bridge"}});
    }
  }
  publish(*container, "die",
          {{"execDuration", std::to_string(std::chrono::duration_cast<std::chrono::seconds>(ran).count())},
           {"exitCode", std::to_string(exit.code)}});
  {
    const MutexLock lock(container->mutex);
    container->announce_end();
  }
  if (delay) schedule_restart(container, *delay);
  return after;
}

void Lifecycle::schedule_restart(const std::shared_ptr<Container>& container,
                                 std::chrono::milliseconds delay) {
  const MutexLock lock(container->mutex);
  if (container->run.state != State::Restarting) return;
  container->restart_timer = parts_.workers.post_after(delay, [this, container] { restart_now(container); });
}

void Lifecycle::restart_now(const std::shared_ptr<Container>& container) {
  const MutexLock operation(container->operation);
  {
    const MutexLock lock(container->mutex);
    container->restart_timer = 0;
    if (closing_ || container->run.state != State::Restarting) return;
    ++container->run.restart_count;
  }
  auto started = launch(*container);
  if (started.ok()) return;
  log::warning("restarting container {}: {}", container->id, started.error().message());
  {
    const MutexLock lock(container->mutex);
    container->run.state = State::Exited;
    container->announce_end();
  }
  set_.store_state(*container);
}

Result<void> Lifecycle::destroy(const std::shared_ptr<Container>& container, bool volumes) {
  const MutexLock operation(container->operation);
  return destroy_locked(*container, volumes);
}

Result<void> Lifecycle::destroy_locked(Container& container, bool volumes) {
  const std::string& id = container.id;
  cancel_restart(container);
  {
    const MutexLock lock(container.mutex);
    if (container.removed) return fail(Kind::NotFound, "No such container: {}", id);
    if (is_running(container.run.state))
      return fail(Kind::Conflict,
                  "cannot remove container \"{}\": container is running: stop the container before removing "
                  "or force remove",
                  container.definition.name);
    container.run.state = State::Removing;
    container.run.volumes_too = container.run.volumes_too || volumes;
    container.pending.clear();
  }
  // From here on the way is forward only: a crash now is finished by the next recovery.
  set_.store_state(container);
  execs_.container_ended(id);
  auto gone = take_apart(container);
  if (gone.ok()) gone = set_.erase(container);
  if (!gone.ok()) {
    // As Docker calls it: the removal can be asked for again, and the next recovery finishes it in any case.
    {
      const MutexLock lock(container.mutex);
      container.run.state = State::Dead;
    }
    set_.store_state(container);
    return gone.error().with_context(
        fmt::format("cannot remove container \"{}\"", container.definition_now().name));
  }
  publish(container, "destroy");
  const MutexLock lock(container.mutex);
  container.removed = true;
  container.changed.notify_all();
  return {};
}

/// What a removal takes away before the record; what is gone already is fine, since it may be done again.
Result<void> Lifecycle::take_apart(Container& container) {
  const std::string& id = container.id;
  TRY(disconnect_networks(parts_, id));
  TRY(parts_.volumes.release(id));
  if (auto removed = parts_.images.snapshots().remove(snapshot_key(id));
      !removed.ok() && removed.error().kind() != Kind::NotFound)
    return removed;
  if (container.run_now().volumes_too)
    for (const ContainerMount& mount : container.definition_now().mounts) {
      if (!mount.anonymous) continue;
      // Another container may have come to use it (--volumes-from).
      auto removed = parts_.volumes.remove(mount.point.name, true);
      if (!removed.ok() && removed.error().kind() != Kind::Conflict) return removed;
    }
  const std::string directory = container_directory(parts_.config, id);
  const std::string trash = fmt::format("{}/{}{}", temporary_directory(parts_.config), kRemovedPrefix, id);
  if (::rename(directory.c_str(), trash.c_str()) != 0) {
    auto failed = fail_errno("rename {} to {}", directory, trash);
    return sys::exists(directory) ? Result<void>(std::move(failed)) : success();
  }
  parts_.workers.post([this] { clear_removed(); });
  return {};
}

/// What could not be deleted the last time is tried again.
void Lifecycle::clear_removed() {
  const std::string temporary = temporary_directory(parts_.config);
  const MutexLock lock(clearing_);
  const auto names = sys::list_directory(temporary);
  if (!names.ok()) return log::warning("{}", names.error().message());
  for (const std::string& name : *names) {
    if (!name.starts_with(kRemovedPrefix)) continue;
    if (auto removed = sys::remove_tree(temporary + "/" + name); !removed.ok())
      log::warning("{}", removed.error().message());
  }
}

}  // namespace skiff::engine
