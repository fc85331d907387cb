#pragma once

#include <cstdint>

#include "archive/tar_writer.h"
#include "spec/digest.h"
#include "sys/fd.h"

namespace skiff::archive {

struct Replayed {
  spec::Digest digest;  ///< of the tar
  std::uint64_t bytes = 0;
};

/// Follows a recipe (recipe.h): gives the tar that the layer in `layer` was unpacked from. Whether it is that
/// tar to the last byte, the digest says. DataLoss: a damaged recipe, or a layer that has not got the files
/// of which it speaks.
Result<Replayed> replay(const sys::Fd& recipe, const sys::Fd& layer, const Sink& sink);

}  // namespace skiff::archive
