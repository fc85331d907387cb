#pragma once

#include <memory>

#include "archive/source.h"

namespace skiff::archive {

/// Decompress what `inner` gives. Several streams in a row are one, as xz(1) and bzip2(1) read them.
/// InvalidArgument: damaged or truncated data; Exhausted: data that asks for more memory than a stream of
/// `xz -9` needs.
std::unique_ptr<Source> xz_source(std::unique_ptr<Source> inner);
std::unique_ptr<Source> bzip2_source(std::unique_ptr<Source> inner);

}  // namespace skiff::archive
