#pragma once

#include <stop_token>

#include "base/result.h"
#include "image/store.h"
#include "image/transfer/progress.h"
#include "image/transfer/source.h"
#include "image/transfer/unpacking.h"

namespace skiff::image {

/// Fetches the layers of an image again that are known to be damaged or have no folder, and puts their files
/// in the place of the damaged ones, lowest first. `mended` becomes true with the first of them, also when
/// a later one fails. Conflict when a container that runs, or a build, stands on one of them.
Result<void> mend_layers(Store& store, Unpackings& unpackings, const Source& source, const Image& image,
                         bool& mended, Progress& progress, const std::stop_token& stop);

}  // namespace skiff::image
