#include "base/error.h"

#include <cerrno>
#include <system_error>

namespace skiff {
namespace {

Kind kind_of_errno(int code) {
  switch (code) {
    case ENOENT:
    case ESRCH:
    case ENODEV:
    case ENXIO:
      return Kind::NotFound;
    case EEXIST:
    case EBUSY:
    case ENOTEMPTY:
    case EADDRINUSE:
      return Kind::Conflict;
    case EACCES:
    case EPERM:
    case EROFS:
      return Kind::Forbidden;
    case EINVAL:
    case ENAMETOOLONG:
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
      return Kind::InvalidArgument;
    case ENOSPC:
    case EDQUOT:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EFBIG:
      return Kind::Exhausted;
    case ENOSYS:
    case EOPNOTSUPP:
      return Kind::Unsupported;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return Kind::Unavailable;
    case ECANCELED:
      return Kind::Cancelled;
    default:
      return Kind::Internal;
  }
}

/// Go's wording of the errors that Docker users know by heart starts in lower case; strerror's does not.
std::string lower_first(std::string text) {
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && !(text[1] >= 'A' && text[1] <= 'Z'))
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  return text;
}

}  // namespace

std::string_view to_string(Kind kind) {
  switch (kind) {
    case Kind::InvalidArgument:
      return "invalid-argument";
    case Kind::NotFound:
      return "not-found";
    case Kind::Conflict:
      return "conflict";
    case Kind::NotModified:
      return "not-modified";
    case Kind::Forbidden:
      return "forbidden";
    case Kind::Unavailable:
      return "unavailable";
    case Kind::Cancelled:
      return "cancelled";
    case Kind::Exhausted:
      return "exhausted";
    case Kind::Unsupported:
      return "unsupported";
    case Kind::DataLoss:
      return "data-loss";
    case Kind::Internal:
      return "internal";
  }
  return "internal";
}

Error Error::from_errno(std::string_view what, int code) {
  return {kind_of_errno(code),
          fmt::format("{}: {}", what, lower_first(std::generic_category().message(code))), code};
}

Error Error::with_context(std::string_view context) const {
  return {kind_, fmt::format("{}: {}", context, message_), code_};
}

}  // namespace skiff
