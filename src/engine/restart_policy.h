#pragma once

#include <chrono>

#include "engine/container.h"

namespace skiff::engine {

/// Whether a container that ended by itself starts again. `intent` is what the user last asked for.
bool should_restart(const spec::docker::RestartPolicy& policy, Intent intent, int exit_code,
                    int restart_count);

/// Whether it starts again when the daemon does: "always" even if it had been stopped, as Docker.
bool should_start_with_daemon(const spec::docker::RestartPolicy& policy, const RunState& run);

/// The pause before the next start: 100 ms, doubled each time up to a minute, anew after ten seconds of
/// running.
std::chrono::milliseconds next_restart_delay(std::chrono::milliseconds last, std::chrono::nanoseconds ran);

}  // namespace skiff::engine
