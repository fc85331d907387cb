#pragma once

#include <vector>

#include "base/result.h"
#include "image/store.h"
#include "spec/served_image.h"

namespace skiff::image {

/// The images that have names, as a registry gives them out: layers as their plain tars, so that nothing
/// needs to be packed or copied to know a manifest. One that is damaged is left out, and named in the log.
Result<std::vector<spec::ServedImage>> served_images(Store& store);

/// Writes a blob that one of the manifests names: a config, or a layer's tar. NotFound before the first byte;
/// DataLoss as Store::write_layer().
Result<void> write_served_blob(Store& store, const spec::Digest& blob, const sys::Fd& out);

}  // namespace skiff::image
