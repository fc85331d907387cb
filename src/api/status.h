#pragma once

#include "base/error.h"

namespace skiff::api {

/// The HTTP status that tells of an error of this kind. The only such table.
constexpr int http_status(Kind kind) {
  switch (kind) {
    case Kind::InvalidArgument:
      return 400;
    case Kind::NotFound:
      return 404;
    case Kind::Conflict:
      return 409;
    case Kind::NotModified:
      return 304;
    case Kind::Forbidden:
      return 403;
    case Kind::Unavailable:
      return 503;
    case Kind::Unsupported:
      return 501;
    case Kind::Cancelled:
    case Kind::Exhausted:
    case Kind::DataLoss:
    case Kind::Internal:
      return 500;
  }
  return 500;
}

}  // namespace skiff::api
