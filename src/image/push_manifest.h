#pragma once

#include <string>
#include <vector>

#include "image/transfer/blob_ledger.h"
#include "spec/digest.h"

namespace skiff::image {

/// The manifest (Docker's schema 2) of an image with this config, `size` bytes long, and these layers, bottom
/// first. The same image has the same bytes, and so the same digest, as from Docker's engine.
std::string push_manifest(const spec::Digest& config, std::size_t size, const std::vector<KnownBlob>& layers);

}  // namespace skiff::image
