#pragma once

#include "archive/worker_job.h"
#include "base/result.h"

namespace skiff::archive {

/// Makes the job's tree the root of this process and closes the descriptors that led there. For
/// single-threaded processes that do nothing else.
Result<void> enter_root(const Job& job);

}  // namespace skiff::archive
