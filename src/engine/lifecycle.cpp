#include "engine/lifecycle.h"

#include <csignal>

#include "base/log.h"
#include "base/strings.h"
#include "engine/events.h"
#include "engine/health.h"
#include "engine/signals.h"
#include "engine/workers.h"

namespace skiff::engine {
namespace {

using std::chrono::milliseconds;

constexpr int kDefaultStopSeconds = 10;
/// SIGKILL cannot be refused, but a program in uninterruptible sleep dies late.
constexpr milliseconds kKillTimeout{10'000};

Result<int> stop_signal(const Definition& definition, const std::string& asked) {
  if (!asked.empty()) return parse_signal(asked);
  if (!definition.config.stop_signal.empty()) return parse_signal(definition.config.stop_signal);
  return SIGTERM;
}

Result<int> kill_signal(const std::string& asked) {
  if (asked.empty()) return SIGKILL;
  if (const auto number = parse_int(asked); number && (*number < 0 || *number > SIGRTMAX))
    return fail(Kind::InvalidArgument, "the linux daemon does not support signal {}", *number);
  return parse_signal(asked);
}

}  // namespace

std::map<std::string, std::string> event_attributes(const Definition& definition) {
  std::map<std::string, std::string> attributes = definition.config.labels;
  attributes["image"] = definition.config.image;
  attributes["name"] = definition.name;
  return attributes;
}

void Lifecycle::publish(Container& container, const std::string& action,
                        std::map<std::string, std::string> more) {
  auto attributes = event_attributes(container.definition_now());
  attributes.merge(more);
  events_.publish("container", action, container.id, std::move(attributes));
}

Result<WaitCondition> parse_wait_condition(std::string_view text) {
  if (text.empty() || text == "not-running") return WaitCondition::NotRunning;
  if (text == "next-exit") return WaitCondition::NextExit;
  if (text == "removed") return WaitCondition::Removed;
  return fail(Kind::InvalidArgument, "invalid condition: \"{}\"", text);
}

Waiter::Waiter(std::shared_ptr<Container> container, WaitCondition condition)
    : container_(std::move(container)), condition_(condition) {
  const MutexLock lock(container_->mutex);
  exits_before_ = container_->exits;
}

bool Waiter::holds() const {
  const Container& c = *container_;
  switch (condition_) {
    case WaitCondition::NotRunning:
      return c.removed || c.exits != exits_before_ ||
             (!is_running(c.run.state) && c.run.state != State::Restarting);
    case WaitCondition::NextExit:
      return c.removed || c.exits != exits_before_;
    case WaitCondition::Removed:
      return c.removed;
  }
  return true;
}

Result<WaitResult> Waiter::get(std::stop_token stop) {
  std::unique_lock lock(container_->mutex);
  if (!container_->changed.wait(lock, stop, [this] { return holds(); }))
    return Error(Kind::Cancelled, "the wait was given up");
  return WaitResult{container_->run.exit_code};
}

Result<Waiter> Lifecycle::wait(std::string_view name, WaitCondition condition) {
  return Waiter(TRY(set_.find(name)), condition);
}

Result<void> Lifecycle::start(std::string_view name) {
  const auto container = TRY(set_.find(name));
  Result<void> started;
  bool removes_itself = false;
  {
    const MutexLock operation(container->operation);
    cancel_restart(*container);
    started = start_locked(*container);
    const MutexLock lock(container->mutex);
    const State state = container->run.state;
    removes_itself =
        container->definition.host.auto_remove && (state == State::Created || state == State::Exited);
  }
  // A --rm container goes when it cannot be started, as it goes when it ends.
  if (!started.ok() && removes_itself) {
    if (auto removed = destroy(container, true); !removed.ok() && removed.error().kind() != Kind::NotFound)
      log::error("removing container {}: {}", container->id, removed.error().message());
  }
  return started;
}

Result<void> Lifecycle::start_locked(Container& container) {
  const State state = container.state_now();
  if (state == State::Running) return Error(Kind::NotModified, "container is already running");
  if (state == State::Paused)
    return Error(Kind::Conflict, "cannot start a paused container, try unpause instead");
  if (state == State::Removing || state == State::Dead)
    return Error(Kind::Conflict, "container is marked for removal and cannot be started");
  return launch(container);
}

bool Lifecycle::cancel_restart(Container& container) {
  {
    const MutexLock lock(container.mutex);
    if (container.run.state != State::Restarting) return false;
    container.run.state = State::Exited;
    if (container.restart_timer != 0) parts_.workers.cancel(std::exchange(container.restart_timer, 0));
    container.changed.notify_all();
  }
  set_.store_state(container);
  return true;
}

bool Lifecycle::await_exit(Container& container, std::uint64_t exits_before,
                           std::optional<milliseconds> timeout) {
  std::unique_lock lock(container.mutex);
  const auto ended = [&] { return container.exits != exits_before || container.removed; };
  if (timeout) return container.changed.wait_for(lock, *timeout, ended);
  container.changed.wait(lock, ended);
  return true;
}

Result<void> Lifecycle::stop_running(const std::shared_ptr<Container>& container, int signal,
                                     std::optional<int> timeout) {
  std::shared_ptr<runner::Task> task;
  std::uint64_t exits = 0;
  bool paused = false;
  {
    const MutexLock lock(container->mutex);
    if (!is_running(container->run.state) || !container->task) return {};
    container->run.intent = Intent::Stop;
    task = container->task;
    exits = container->exits;
    paused = container->run.state == State::Paused;
  }
  const auto send = [&](int number) -> Result<void> {
    publish(*container, "kill", {{"signal", std::to_string(number)}});
    auto sent = task->kill(number);
    // A frozen program cannot die: the signal is delivered when it thaws.
    if (paused) (void)task->resume();
    if (!sent.ok() && sent.error().kind() != Kind::NotFound && sent.error().kind() != Kind::Unavailable)
      return sent;
    return {};
  };
  if (signal != SIGKILL) {
    TRY(send(signal));
    const std::optional<milliseconds> patience =
        timeout && *timeout >= 0 ? std::optional<milliseconds>(std::chrono::seconds(*timeout)) : std::nullopt;
    if (await_exit(*container, exits, patience)) return {};
  }
  TRY(send(SIGKILL));
  if (!await_exit(*container, exits, kKillTimeout))
    return fail(Kind::Unavailable, "container {} did not end within {} s of SIGKILL", container->id,
                kKillTimeout.count() / 1000);
  return {};
}

Result<void> Lifecycle::stop(std::string_view name, std::optional<int> timeout, const std::string& signal) {
  const auto container = TRY(set_.find(name));
  const Definition definition = container->definition_now();
  const int number = TRY_CONTEXT(stop_signal(definition, signal), "cannot stop container: {}", name);
  if (!timeout) timeout = definition.config.stop_timeout.value_or(kDefaultStopSeconds);
  {
    const MutexLock lock(container->mutex);
    container->run.intent = Intent::Stop;
  }
  if (cancel_restart(*container)) return {};
  if (!is_running(container->state_now())) return Error(Kind::NotModified, "container is already stopped");
  TRY_CONTEXT(stop_running(container, number, timeout), "cannot stop container: {}", name);
  publish(*container, "stop");
  return {};
}

Result<void> Lifecycle::restart(std::string_view name, std::optional<int> timeout,
                                const std::string& signal) {
  const auto container = TRY(set_.find(name));
  const Definition definition = container->definition_now();
  const int number = TRY(stop_signal(definition, signal));
  if (!timeout) timeout = definition.config.stop_timeout.value_or(kDefaultStopSeconds);
  const bool removes_itself = definition.host.auto_remove;
  if (is_running(container->state_now())) {
    // --rm must not take the container away between its two halves.
    const auto set_auto_remove = [&](bool on) {
      const MutexLock lock(container->mutex);
      container->definition.host.auto_remove = on;
    };
    if (removes_itself) set_auto_remove(false);
    auto stopped = stop_running(container, number, timeout);
    if (removes_itself) set_auto_remove(true);
    if (!stopped.ok()) return stopped.error().with_context(fmt::format("Cannot restart container {}", name));
    publish(*container, "stop");
  }
  {
    const MutexLock operation(container->operation);
    cancel_restart(*container);
    auto started = start_locked(*container);
    if (!started.ok() && started.error().kind() != Kind::NotModified)
      return started.error().with_context(fmt::format("Cannot restart container {}", name));
  }
  publish(*container, "restart");
  return {};
}

Result<void> Lifecycle::kill(std::string_view name, const std::string& signal) {
  const auto container = TRY_CONTEXT(set_.find(name), "cannot kill container: {}", name);
  const int number = TRY_CONTEXT(kill_signal(signal), "cannot kill container: {}", name);
  if (number == SIGKILL && is_running(container->state_now())) return stop_running(container, SIGKILL, 0);
  auto task = running_task(*container);
  if (!task.ok()) return task.error().with_context(fmt::format("cannot kill container: {}", name));
  const Definition definition = container->definition_now();
  {
    // A signal that is not the one for stopping says nothing about what the user wants.
    const MutexLock lock(container->mutex);
    const auto stops = stop_signal(definition, "");
    if (definition.config.stop_signal.empty() || (stops.ok() && *stops == number))
      container->run.intent = Intent::Stop;
  }
  publish(*container, "kill", {{"signal", std::to_string(number)}});
  auto sent = (*task)->kill(number);
  if (!sent.ok() && sent.error().kind() == Kind::NotFound)
    return fail(Kind::Conflict, "cannot kill container: {}: container {} is not running", name,
                container->id);
  TRY_CONTEXT(std::move(sent), "cannot kill container: {}: Cannot kill container {}", name, container->id);
  return {};
}

Result<void> Lifecycle::end(const std::shared_ptr<Container>& container) {
  {
    const MutexLock lock(container->mutex);
    container->run.intent = Intent::Stop;
  }
  cancel_restart(*container);
  return stop_running(container, SIGKILL, 0);
}

Result<void> Lifecycle::pause(std::string_view name) {
  const auto container = TRY(set_.find(name));
  const MutexLock operation(container->operation);
  const State state = container->state_now();
  if (state == State::Paused) return fail(Kind::Conflict, "Container {} is already paused", container->id);
  if (state == State::Restarting)
    return fail(Kind::Conflict, "Container {} is restarting, wait until the container is running", name);
  const auto task = TRY(running_task(*container));
  TRY_CONTEXT(task->pause(), "cannot pause container {}", container->id);
  {
    const MutexLock lock(container->mutex);
    container->run.state = State::Paused;
    container->changed.notify_all();
  }
  set_.store_state(*container);
  health_.ended(*container);
  publish(*container, "pause");
  return {};
}

Result<void> Lifecycle::unpause(std::string_view name) {
  const auto container = TRY(set_.find(name));
  const MutexLock operation(container->operation);
  if (container->state_now() != State::Paused)
    return fail(Kind::Conflict, "Container {} is not paused", container->id);
  const auto task = TRY(running_task(*container));
  TRY_CONTEXT(task->resume(), "Cannot unpause container {}", container->id);
  {
    const MutexLock lock(container->mutex);
    container->run.state = State::Running;
    container->changed.notify_all();
  }
  set_.store_state(*container);
  health_.resumed(container);
  publish(*container, "unpause");
  return {};
}

Result<void> Lifecycle::resize(std::string_view name, int columns, int rows) {
  const auto container = TRY(set_.find(name));
  const auto task = TRY(running_task(*container));
  TRY(task->resize(static_cast<std::uint16_t>(columns), static_cast<std::uint16_t>(rows)));
  publish(*container, "resize", {{"height", std::to_string(rows)}, {"width", std::to_string(columns)}});
  return {};
}

}  // namespace skiff::engine
