#pragma once

#include "base/json.h"

namespace skiff::runtime {

/// What this runtime can do, for those who would use it (runtime-spec, features.md).
json::Object features();

}  // namespace skiff::runtime
