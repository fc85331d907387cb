#include "engine/health.h"

#include "base/log.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/lifecycle.h"
#include "engine/workers.h"
#include "sys/net/netlink.h"

namespace skiff::engine {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::size_t kKeptResults = 5;
constexpr std::size_t kLongestOutput = 4096;

nanoseconds or_default(std::int64_t value, nanoseconds otherwise) {
  return value > 0 ? nanoseconds(value) : otherwise;
}

}  // namespace

std::optional<HealthPlan> health_plan(const spec::docker::ContainerConfig& config) {
  if (!config.healthcheck || config.healthcheck->test.empty()) return std::nullopt;
  const auto& check = *config.healthcheck;
  HealthPlan plan;
  if (check.test[0] == "CMD") {
    plan.command.assign(check.test.begin() + 1, check.test.end());
  } else if (check.test[0] == "CMD-SHELL" && check.test.size() > 1) {
    plan.command = config.shell.empty() ? std::vector<std::string>{"/bin/sh", "-c"} : config.shell;
    plan.command.push_back(check.test[1]);
  }
  if (auto probe = parse_network_probe(check.test); probe.ok()) plan.probe = *std::move(probe);
  if (plan.command.empty() && !plan.probe) return std::nullopt;  // "NONE" too
  plan.interval = or_default(check.interval, seconds(30));
  plan.timeout = or_default(check.timeout, seconds(30));
  plan.start_period = or_default(check.start_period, seconds(0));
  plan.start_interval = or_default(check.start_interval, seconds(5));
  if (check.retries > 0) plan.retries = check.retries;
  plan.restarts = check.restart_unhealthy;
  return plan;
}

bool enter_result(spec::docker::Health& health, const HealthPlan& plan, spec::docker::HealthResult result,
                  bool in_start_period) {
  const std::string before = health.status;
  if (result.output.size() > kLongestOutput) result.output.resize(kLongestOutput);
  if (result.exit_code == 0) {
    health.failing_streak = 0;
    health.status = "healthy";
  } else if (!(in_start_period && health.status == "starting")) {
    ++health.failing_streak;
    if (health.failing_streak >= plan.retries) health.status = "unhealthy";
  }
  health.log.push_back(std::move(result));
  if (health.log.size() > kKeptResults) health.log.erase(health.log.begin());
  return health.status != before;
}

void Health::started(Container& container) {
  std::optional<HealthPlan> plan;
  {
    const MutexLock lock(container.mutex);
    plan = health_plan(container.definition.config);
    if (!plan) {
      container.run.health.reset();
      return;
    }
    container.run.health = spec::docker::Health{"starting", 0, {}};
  }
  const bool short_first = plan->start_period > nanoseconds(0);
  begin(container.id, short_first ? std::min(plan->start_interval, plan->interval) : plan->interval);
}

void Health::resumed(const std::shared_ptr<Container>& container) {
  std::optional<HealthPlan> plan;
  {
    const MutexLock lock(container->mutex);
    plan = health_plan(container->definition.config);
    if (plan && !container->run.health) container->run.health = spec::docker::Health{"starting", 0, {}};
  }
  if (plan) begin(container->id, plan->interval);
}

void Health::begin(const std::string& id, nanoseconds first_delay) {
  std::uint64_t run = 0;
  {
    const MutexLock lock(mutex_);
    run = ++runs_;
    probes_[id] = Probe{run, 0, {}};
  }
  schedule(id, run, first_delay);
}

void Health::schedule(const std::string& id, std::uint64_t run, nanoseconds delay) {
  const MutexLock lock(mutex_);
  const auto probe = probes_.find(id);
  if (probe == probes_.end() || probe->second.run != run) return;
  probe->second.timer = parts_.workers.post_after(delay, [this, id, run] { check(id, run); });
}

void Health::ended(Container& container) {
  const MutexLock lock(mutex_);
  const auto probe = probes_.find(container.id);
  if (probe == probes_.end()) return;
  parts_.workers.cancel(probe->second.timer);
  probe->second.stop.request_stop();
  probes_.erase(probe);
}

spec::docker::HealthResult Health::make_check(const std::shared_ptr<Container>& container,
                                              const HealthPlan& plan, const std::stop_token& stop) {
  const auto made = [&]() -> Result<Execs::RunResult> {
    if (!plan.probe) return execs_.run(container, plan.command, plan.timeout, stop);
    const sys::Fd network = TRY(TRY(running_task(*container))->network_namespace());
    ProbeResult found;
    TRY(sys::in_network_namespace(network, [&]() -> Result<void> {
      found = run_network_probe(*plan.probe, plan.timeout, stop);
      return {};
    }));
    return Execs::RunResult{
        .code = found.healthy ? 0 : 1, .output = std::move(found.output), .timed_out = found.timed_out};
  };
  spec::docker::HealthResult result;
  result.start = now();
  auto outcome = made();
  result.end = now();
  if (!outcome.ok()) {
    result.exit_code = -1;
    result.output = outcome.error().message();
  } else if (outcome->timed_out) {
    result.exit_code = -1;
    result.output = fmt::format("Health check exceeded timeout ({})", format_duration(plan.timeout));
  } else {
    result.exit_code = outcome->code;
    result.output = std::move(outcome->output);
  }
  return result;
}

void Health::check(const std::string& id, std::uint64_t run) {
  const auto container = set_.by_id(id);
  if (!container) return;
  std::stop_token stop;
  {
    const MutexLock lock(mutex_);
    const auto probe = probes_.find(id);
    if (probe == probes_.end() || probe->second.run != run) return;
    stop = probe->second.stop.get_token();
  }
  const auto plan = health_plan(container->definition_now().config);
  if (!plan) return;
  spec::docker::HealthResult result = make_check(container, *plan, stop);
  if (stop.stop_requested()) return;
  std::string status;
  bool changed = false;
  bool in_start_period = false;
  bool restart = false;
  {
    const MutexLock lock(container->mutex);
    auto& health = container->run.health;
    if (!health) return;
    in_start_period = result.start < container->running_since + plan->start_period;
    changed = enter_result(*health, *plan, std::move(result), in_start_period);
    status = health->status;
    int& restarts = container->run.unhealthy_restarts;
    if (status == "healthy") restarts = 0;
    restart = changed && status == "unhealthy" && restarts < plan->restarts;
    if (restart) ++restarts;
  }
  set_.store_state(*container);
  if (changed) {
    events_.publish("container", "health_status: " + status, id,
                    event_attributes(container->definition_now()));
  }
  const bool starting = in_start_period && status == "starting";
  schedule(id, run, starting ? std::min(plan->start_interval, plan->interval) : plan->interval);
  // The end that this brings about takes the next check away; should it fail, the checks go on.
  if (restart) restart_(id);
}

}  // namespace skiff::engine
