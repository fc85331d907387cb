#pragma once

#include <ctime>
#include <optional>
#include <stop_token>
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
/// Cancelled at once when `stop` says so.
Result<Fetched> fetch(const std::string& url, const sys::Fd& file, const std::stop_token& stop = {});

}  // namespace skiff::http
