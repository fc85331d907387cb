#pragma once

#include "api/query.h"

namespace skiff::api {

struct Size {
  int columns = 0;
  int rows = 0;
};

/// A terminal's size from the parameters "h" and "w". InvalidArgument with Docker's sentence.
Result<Size> size_of(const Query& query);

}  // namespace skiff::api
