#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "engine/container.h"
#include "spec/oci_runtime.h"

namespace skiff::engine {

/// The mounts that make the container's root. One that removes itself is not synced (docs/decisions/0009).
Result<std::vector<spec::Mount>> root_mounts(Parts& parts, const Definition& definition);

/// The container's own mounts as the runtime makes them: host directories of -v that are missing are made,
/// those of --mount must be there; volumes are asked how they are mounted. InvalidArgument with Docker's
/// sentence for a missing source.
Result<std::vector<spec::oci::Mount>> prepare_mounts(Parts& parts, const std::vector<ContainerMount>& mounts);

}  // namespace skiff::engine
