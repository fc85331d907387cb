#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
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
  std::string error;  ///< why the program never ran, or ""
};

/// A registered wait: made before the answer's headers go out, so that nothing that happens after them is missed.
class Waiter {
 public:
  virtual ~Waiter() = default;
  /// Blocks until the condition holds; Cancelled when `stop` is requested first.
  virtual Result<WaitResult> get(std::stop_token stop) = 0;
};

/// Starts, stops and watches containers: the state machine of docs/engine.md. Thread-safe.
class Lifecycle {
 public:
  Lifecycle(Parts& parts, ContainerSet& set, Events& events, Health& health);
  ~Lifecycle();

  /// NotModified when it runs already. A program that cannot run leaves the container created, with exit code 127 or 126.
  Result<void> start(std::string_view name, const std::string& detach_keys = {});
  /// `timeout`: seconds until SIGKILL, -1 for ever; the container's own when absent. NotModified when it does not run.
  Result<void> stop(std::string_view name, std::optional<int> timeout, const std::string& signal);
  Result<void> restart(std::string_view name, std::optional<int> timeout, const std::string& signal);
  /// `signal`: "KILL", "SIGKILL", "9"; "" is SIGKILL. Conflict: `container ID is not running`.
  Result<void> kill(std::string_view name, const std::string& signal);
  Result<void> pause(std::string_view name);
  Result<void> unpause(std::string_view name);
  Result<void> resize(std::string_view name, int columns, int rows);
  Result<std::unique_ptr<Waiter>> wait(std::string_view name, WaitCondition condition);

  /// For the other services: the container is known and its operation lock is not held.
  Result<void> start(const std::shared_ptr<Container>& container);
  /// Ends what runs, with SIGKILL, and returns when the exit is recorded (`rm -f`).
  Result<void> end(const std::shared_ptr<Container>& container);
  /// Removes every trace; the container does not run. `volumes`: its anonymous volumes too.
  Result<void> destroy(const std::shared_ptr<Container>& container, bool volumes);

  /// An exit the runner told of; called on a worker, never on the runner's own thread.
  void exited(const std::string& id, const runner::Exit& exit);
  void out_of_memory(const std::string& id);

  /// After a daemon start: takes over what lives, records what ended, removes half-made things, then applies restart policies.
  Result<void> recover();
  /// Stops timers; containers run on.
  void shut_down();

 private:
  struct Started;
  Result<void> start_locked(Container& container);
  Result<void> launch(Container& container);
  Result<void> signal_and_wait(Container& container, int signal, std::optional<int> timeout);
  void finish(Container& container, const runner::Exit& exit);
  void schedule_restart(const std::shared_ptr<Container>& container, std::chrono::milliseconds delay);
  void recover_one(const std::shared_ptr<Container>& container);

  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
  Health& health_;
  std::atomic<bool> closing_ = false;
};

}  // namespace skiff::engine
