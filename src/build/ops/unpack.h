#pragma once

#include <optional>
#include <utility>

#include "base/result.h"
#include "spec/layer_limits.h"
#include "sys/fd.h"

namespace skiff::build {

/// Whether a file is a tar archive, plain or compressed: by its first bytes, decompressed. It is left at its
/// start.
Result<bool> looks_like_archive(const sys::Fd& file);

/// Unpacks such an archive into a directory, in a worker process. `owner` replaces the archive's own owners.
/// Exhausted when there is more in it than `limits` allow.
Result<void> unpack_archive(const sys::Fd& file, const sys::Fd& directory,
                            const std::optional<std::pair<uid_t, gid_t>>& owner,
                            const spec::LayerLimits& limits);

}  // namespace skiff::build
