#pragma once

#include <stop_token>

#include "image/loose_layer.h"
#include "image/transfer/download.h"

namespace skiff::image {

/// Makes a layer from a blob while it is being downloaded; the download is told how far that is. The layer is
/// one only when the whole blob was verified; an error leaves nothing: the download's own before those that
/// come of it.
Result<LooseLayer> unpack(Store& store, Download& download, const std::stop_token& stop);

}  // namespace skiff::image
