#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "image/transfer/blob_ledger.h"
#include "spec/digest.h"

namespace skiff::image {

struct PushManifest {
  std::string_view media_type;
  std::string text;
};

/// The manifest of an image with this config, `size` bytes long, and these layers, bottom first. It is of
/// Docker's schema 2, where the same image has the same bytes, and so the same digest, as from Docker's
/// engine; with a layer of zstd, of which that schema says nothing, it is OCI's.
PushManifest push_manifest(const spec::Digest& config, std::size_t size,
                           const std::vector<KnownBlob>& layers);

}  // namespace skiff::image
