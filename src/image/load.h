#pragma once

#include <functional>
#include <optional>
#include <string>

#include "archive/image_archive.h"
#include "image/store.h"
#include "spec/platform.h"

namespace skiff::image {

/// What a load does, as it happens. Any of them may be left empty.
struct LoadListener {
  std::function<void(const archive::EntryProgress&)> reading;  ///< the entry of a layer, every few megabytes
  /// A layer that was not here before, and the name of its entry.
  std::function<void(const Layer& layer, const std::string& entry)> unpacked;
  /// An image before it is made, and whether it is here already. Its failure is that of the load.
  std::function<Result<void>(const spec::Digest& image, bool known)> found;
  std::function<void(const spec::Reference& name, const spec::Digest& before)> renamed;
  std::function<void(const Image& image, const std::optional<spec::Reference>& name)> loaded;
};

/// Reads an archive of images (plain, gzip, zstd, xz or bzip2) from `tar` to its end and makes the images in
/// it: what `docker save` writes or wrote since its version 1.10, and OCI layouts, also of several platforms
/// (then the image of `platform`, or of this machine, is taken). The bytes are read once, by a worker
/// process; layers are unpacked on the way unless they are here already, and each must be what its image's
/// config says. A layer that is here need not be in the archive at all. InvalidArgument and Forbidden name
/// the layer and the entry; nothing of an image that is refused stays.
Result<void> load(Store& store, const sys::Fd& tar, const std::optional<spec::Platform>& platform,
                  const LoadListener& listener);

}  // namespace skiff::image
