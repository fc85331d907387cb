#pragma once

#include <functional>

#include "base/result.h"

namespace skiff::sys {

/// Runs `body` to its end in a thread of its own: for calls that change what belongs to the calling thread.
/// The errno of the kernel when it gives no thread.
Result<void> in_own_thread(const std::function<void()>& body);

}  // namespace skiff::sys
