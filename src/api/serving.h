#pragma once

#include "api/call.h"

namespace skiff::api {

/// What a registry in front of this engine asks: see src/registry/server/engine_storage.h.
Result<void> served_images(Call& call);
Result<void> served_blob(Call& call);

}  // namespace skiff::api
