#pragma once

#include "base/result.h"
#include "cmd/oci/record.h"

namespace skiff::oci {

/// Removes everything that an ended container leaves: the cgroup with whatever still runs in it, the state,
/// and the poststop hooks' say.
Result<void> clean_up(const Home& home, const Record& record, const spec::oci::Runtime& config);
/// With the configuration that was saved.
Result<void> clean_up(const Home& home, const Record& record);

}  // namespace skiff::oci
