#pragma once

#include <string>
#include <string_view>

#include "archive/replay.h"
#include "base/result.h"
#include "snapshot/store.h"
#include "sys/fd.h"

namespace skiff::image {

/// The note of a layer that came as somebody else's tar.
inline constexpr std::string_view kRecipe = "recipe";

/// Writes the tar of a snapshot's own layer to `out`, by a worker process: the one that it came as, or the
/// one that archive::diff makes of its files. What it should have been the caller knows. DataLoss as
/// replay().
Result<archive::Replayed> write_tar(snapshot::Store& snapshots, const std::string& key, const sys::Fd& out);

}  // namespace skiff::image
