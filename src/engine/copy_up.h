#pragma once

#include <string>

#include "base/result.h"
#include "engine/container.h"
#include "engine/parts.h"

namespace skiff::engine {

/// Gives fresh, empty volumes the content, owner and mode that the image has where they are mounted. The
/// bytes go from one archive worker to another.
Result<void> copy_up(Parts& parts, const Definition& definition);

}  // namespace skiff::engine
