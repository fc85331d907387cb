#pragma once

#include <ctime>
#include <functional>
#include <optional>
#include <string>

#include "base/result.h"
#include "sys/fd.h"

namespace skiff::http {

struct Fetched {
  std::optional<std::time_t> modified;  ///< Last-Modified
};

/// Downloads an http or https URL into `file`, through redirects and the proxies of the environment. Errors
/// are Docker's sentences: `Get "<url>": <why>` (Unavailable) when there is no answer, `failed to GET <url>
/// with status 404 Not Found: <body>` (NotFound, or InvalidArgument for other statuses) when it is a refusal.
/// Cancelled once `cancelled` says so, which is asked about once a second.
Result<Fetched> fetch(const std::string& url, const sys::Fd& file, const std::function<bool()>& cancelled);

}  // namespace skiff::http
