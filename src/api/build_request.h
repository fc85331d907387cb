#pragma once

#include "api/query.h"
#include "base/result.h"
#include "build/service.h"

namespace skiff::api {

/// The parameters of POST /build. InvalidArgument or Unsupported for what cannot be served.
Result<build::Request> build_request(const Query& query);

}  // namespace skiff::api
