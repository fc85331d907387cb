#pragma once

#include <string>

#include "base/result.h"
#include "monitor/protocol.h"

namespace skiff::monitor {

/// Ends what is left of the container `id`, whose monitor was killed, and removes it: what an external
/// runtime knows of it, its processes, its cgroup. Every step is tried; the first error is returned.
Result<void> remove_remains(const std::string& id, const std::string& run_directory, const Remains& remains);

}  // namespace skiff::monitor
