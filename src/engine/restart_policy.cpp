#include "engine/restart_policy.h"

#include <algorithm>

namespace skiff::engine {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kFirstDelay{100};
constexpr milliseconds kLongestDelay = std::chrono::minutes(1);
constexpr seconds kLongRun{10};

}  // namespace

bool should_restart(const spec::docker::RestartPolicy& policy, Intent intent, int exit_code,
                    int restart_count) {
  if (intent == Intent::Stop) return false;
  if (policy.name == "always" || policy.name == "unless-stopped") return true;
  if (policy.name != "on-failure" || exit_code == 0) return false;
  return policy.maximum_retry_count == 0 || restart_count < policy.maximum_retry_count;
}

bool should_start_with_daemon(const spec::docker::RestartPolicy& policy, const RunState& run) {
  if (run.started_at == Time{}) return false;
  if (policy.name == "always") return true;
  return should_restart(policy, run.intent, run.exit_code, run.restart_count);
}

milliseconds next_restart_delay(milliseconds last, std::chrono::nanoseconds ran) {
  if (ran >= kLongRun || last == milliseconds(0)) return kFirstDelay;
  return std::min(last * 2, kLongestDelay);
}

}  // namespace skiff::engine
