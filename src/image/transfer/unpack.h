#pragma once

#include <functional>
#include <stop_token>
#include <string>

#include "image/store.h"
#include "image/transfer/download.h"

namespace skiff::image {

/// Makes a layer on top of `parent` from a blob while it is being downloaded. `progress` hears how many bytes
/// of the blob were unpacked, from another thread. The layer is one only when the whole blob was verified; an
/// error leaves nothing: the download's own before those that come of it.
Result<Layer> unpack(Store& store, Download& download, const std::string& parent, const std::stop_token& stop,
                     const std::function<void(std::uint64_t)>& progress);

}  // namespace skiff::image
