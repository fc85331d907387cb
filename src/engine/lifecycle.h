#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "engine/container.h"
#include "engine/parts.h"
#include "runner/runner.h"

namespace skiff::engine {

class Execs;
class Health;

/// What POST /containers/{id}/wait waits for.
enum class WaitCondition : std::uint8_t { NotRunning, NextExit, Removed };
/// "", "not-running", "next-exit", "removed"; InvalidArgument: `invalid condition: "x"`.
Result<WaitCondition> parse_wait_condition(std::string_view text);

struct WaitResult {
  int exit_code = 0;
};

/// A registered wait: made before the answer's headers go out, so that nothing that happens after them is
/// missed.
class Waiter {
 public:
  Waiter(std::shared_ptr<Container> container, WaitCondition condition);
  /// Blocks until the condition holds; Cancelled when `stop` is requested first.
  Result<WaitResult> get(std::stop_token stop) NO_THREAD_SAFETY_ANALYSIS;

 private:
  bool holds() const NO_THREAD_SAFETY_ANALYSIS;

  std::shared_ptr<Container> container_;
  WaitCondition condition_;
  std::uint64_t exits_before_ = 0;
};

/// What a failed start leaves as exit code (126, 127, 128), as Docker reads it from the sentence.
int start_failure_code(const Error& error);

/// Starts, stops and watches containers: the state machine of docs/engine.md. Thread-safe. Verbs take names,
/// ids or unique id prefixes.
class Lifecycle {
 public:
  Lifecycle(Parts& parts, ContainerSet& set, Events& events, Health& health, Execs& execs)
      : parts_(parts), set_(set), events_(events), health_(health), execs_(execs) {}

  /// NotModified when it runs already. A program that cannot run leaves the container created, with exit code
  /// 127 or 126.
  Result<void> start(std::string_view name);
  /// `timeout`: seconds until SIGKILL, -1 for ever; the container's own when absent. NotModified when it does
  /// not run.
  Result<void> stop(std::string_view name, std::optional<int> timeout, const std::string& signal);
  Result<void> restart(std::string_view name, std::optional<int> timeout, const std::string& signal);
  /// `signal`: "KILL", "SIGKILL", "9"; "" is SIGKILL. Conflict: "cannot kill container: x: container ID is
  /// not running".
  Result<void> kill(std::string_view name, const std::string& signal);
  Result<void> pause(std::string_view name);
  Result<void> unpause(std::string_view name);
  Result<void> resize(std::string_view name, int columns, int rows);
  Result<Waiter> wait(std::string_view name, WaitCondition condition);

  /// Ends what runs, with SIGKILL, and returns when the exit is recorded (`rm -f`).
  Result<void> end(const std::shared_ptr<Container>& container);
  /// Removes every trace; Conflict when it runs. `volumes`: its anonymous volumes too.
  Result<void> destroy(const std::shared_ptr<Container>& container, bool volumes);

  /// What the runner told of; called on a worker, never on the runner's own thread.
  void exited(const std::string& id, const runner::Exit& exit);
  void out_of_memory(const std::string& id);

  /// After a daemon start: takes over what lives, records what ended, removes half-made things, then applies
  /// restart policies.
  Result<void> recover();
  Execs& execs() { return execs_; }

  /// No more restarts; containers run on.
  void shut_down() { closing_ = true; }

 private:
  Result<void> start_locked(Container& container) REQUIRES(container.operation);
  Result<void> launch(Container& container) REQUIRES(container.operation);
  Result<void> stop_running(const std::shared_ptr<Container>& container, int signal,
                            std::optional<int> timeout);
  bool await_exit(Container& container, std::uint64_t exits_before,
                  std::optional<std::chrono::milliseconds> timeout) NO_THREAD_SAFETY_ANALYSIS;
  bool cancel_restart(Container& container);
  enum class After : std::uint8_t { Keep, Remove };
  /// Records an end. After::Remove: the container removes itself, and the caller is to see to that.
  [[nodiscard]] After finish(const std::shared_ptr<Container>& container, const runner::Exit& exit)
      REQUIRES(container->operation);
  void schedule_restart(const std::shared_ptr<Container>& container, std::chrono::milliseconds delay);
  void restart_now(const std::shared_ptr<Container>& container);
  Result<void> destroy_locked(Container& container, bool volumes) REQUIRES(container.operation);
  Result<void> take_apart(Container& container) REQUIRES(container.operation);
  /// Of folders of removed containers, in the folder for temporary things.
  static constexpr std::string_view kRemovedPrefix = "removed-";
  void clear_removed() EXCLUDES(clearing_);
  void publish(Container& container, const std::string& action, std::map<std::string, std::string> more = {});

  bool recover_one(const std::shared_ptr<Container>& container);
  void undo_half_start(Container& container, runner::Task& task) REQUIRES(container.operation);
  void adopt(Container& container, std::shared_ptr<runner::Task> task);
  void end_forgotten_monitors();
  void remove_half_made();

  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
  Health& health_;
  Execs& execs_;
  Mutex clearing_;  ///< held by whoever deletes folders of removed containers
  std::atomic<bool> closing_ = false;
};

/// Labels, image and name: what every event of a container carries.
std::map<std::string, std::string> event_attributes(const Definition& definition);
/// The snapshot that holds what a container writes.
std::string snapshot_key(const std::string& container);

}  // namespace skiff::engine
