#pragma once

#include <functional>
#include <optional>
#include <string>

#include "image/store.h"

namespace skiff::image {

/// Makes an image of one layer from a root file system as a tar (plain, gzip or zstd). `config` says
/// everything but rootfs and history, which are filled in. The same bytes, config and history give the same
/// id.
Result<Image> import_rootfs(Store& store, const sys::Fd& tar, spec::oci::Image config,
                            spec::oci::History history, const std::optional<spec::Reference>& name);

/// Store::import_layer() of the tar that `write` writes, on a thread of its own, to the descriptor it is
/// given.
Result<Layer> import_written(Store& store, const std::string& parent,
                             const std::function<Result<void>(const sys::Fd& out)>& write);

}  // namespace skiff::image
