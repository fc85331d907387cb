#pragma once

#include <optional>
#include <stop_token>
#include <string>

#include "image/loose_layer.h"
#include "image/store.h"
#include "lazy/place.h"
#include "registry/client/repository.h"
#include "spec/oci_image.h"

namespace skiff::image {

/// What the manifest's annotations tell of a layer's table of contents. Of a zstd:chunked layer: where its
/// bytes are, and their digest. Of an eStargz layer: the digest of the JSON; where it is the layer itself
/// tells.
struct ContentsPlace {
  bool estargz = false;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  spec::Digest digest;
};
/// Nothing for a layer without a table whose digest is told: such a table is nobody's word.
std::optional<ContentsPlace> find_contents(const spec::oci::Descriptor& layer);

/// Fetches a layer's table of contents, which its digest must fit, and makes of it, by a worker, a folder
/// whose files can be served. `note` lies in it. Errors: those of the registry, DataLoss, those of
/// archive::read_contents(). Nothing is left of what fails.
Result<LooseLayer> fetch_contents(Store& store, registry::Repository& repository,
                                  const spec::oci::Descriptor& layer, const ContentsPlace& place,
                                  const lazy::LazyNote& note, const std::stop_token& stop);

}  // namespace skiff::image
