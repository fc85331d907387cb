#pragma once

#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace skiff::build {

/// A file that ADD fetched.
struct Download {
  std::string name;    ///< the last component of the URL's path, or ""
  sys::Fd file;        ///< without a name; mode 0600 and the server's time, as the copy will have them
  std::string digest;  ///< "file:<hex>"
};

/// Fetches it anew each time, as only its content can tell whether a step is cached; the file lies on the
/// file system of `directory`. InvalidArgument when the name is needed and the URL has none.
Result<Download> download(const std::string& url, bool needs_name, const sys::Fd& directory);

}  // namespace skiff::build
