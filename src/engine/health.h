#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "base/thread.h"
#include "engine/container.h"
#include "engine/network_probe.h"
#include "engine/parts.h"

namespace skiff::engine {

class Execs;

/// A check with all defaults filled in; the command as it is executed. Nothing when there is no check.
struct HealthPlan {
  std::vector<std::string> command;
  std::optional<NetworkProbe> probe;  ///< in place of a command
  std::chrono::nanoseconds interval{};
  std::chrono::nanoseconds timeout{};
  std::chrono::nanoseconds start_period{};
  std::chrono::nanoseconds start_interval{};
  int retries = 3;
  int restarts = 0;  ///< how often in a row it may be restarted for being unhealthy
};

/// Runs the health checks of running containers, each as an exec or from the engine itself (NetworkProbe),
/// and keeps their results in the run state. Thread-safe.
class Health {
 public:
  Health(Parts& parts, ContainerSet& set, Events& events, Execs& execs)
      : parts_(parts), set_(set), events_(events), execs_(execs) {}

  /// The container was started: its health is "starting" from now on, if it has a check.
  void started(Container& container);
  /// It runs on, after a pause or a daemon restart: what is known of its health stays.
  void resumed(const std::shared_ptr<Container>& container);
  void ended(Container& container);

  /// What is called, on a worker, for a container that turned unhealthy and is to be restarted then.
  void on_unhealthy(std::function<void(const std::string& id)> restart) { restart_ = std::move(restart); }

 private:
  void schedule(const std::string& id, std::uint64_t run, std::chrono::nanoseconds delay);
  void check(const std::string& id, std::uint64_t run);
  void begin(const std::string& id, std::chrono::nanoseconds first_delay);
  spec::docker::HealthResult make_check(const std::shared_ptr<Container>& container, const HealthPlan& plan,
                                        const std::stop_token& stop);

  struct Probe {
    std::uint64_t run = 0;  ///< checks of an earlier run see another number and stop
    std::uint64_t timer = 0;
    std::stop_source stop;
  };

  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
  Execs& execs_;
  std::function<void(const std::string& id)> restart_;
  Mutex mutex_;
  std::map<std::string, Probe> probes_ GUARDED_BY(mutex_);
  std::uint64_t runs_ GUARDED_BY(mutex_) = 0;
};

std::optional<HealthPlan> health_plan(const spec::docker::ContainerConfig& config);

/// Enters a result; true when the status changed. Failures within the start period do not count.
bool enter_result(spec::docker::Health& health, const HealthPlan& plan, spec::docker::HealthResult result,
                  bool in_start_period);

}  // namespace skiff::engine
