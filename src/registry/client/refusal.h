#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "http/web.h"
#include "spec/reference.h"

namespace skiff::registry {

/// What a registry's answer of status 400 and above says, as Docker's engine words it: the registry's own
/// error ("manifest unknown: manifest unknown", "unauthorized: authentication required", distribution-spec,
/// "Error Codes"), or "received unexpected HTTP status: 502 Bad Gateway". NotFound, Forbidden (also for
/// 401), Exhausted (429), else Unavailable.
Error refusal(const http::WebResponse& response);

/// The error of a pull of `reference` in Docker's words: "pull access denied for x, repository does not exist
/// or may require 'docker login': ...", "manifest for x:y not found: ...". Other errors stay as they are.
Error pull_error(const Error& error, const spec::Reference& reference);

/// True when the registry wants to know who asks, or does not believe it (status 401).
bool is_unauthorized(const Error& error);
/// True when the registry was asked too often (status 429).
bool is_too_many_requests(const Error& error);
/// True when what was sent is not what its digest says (DIGEST_INVALID).
bool is_other_digest(const Error& error);

/// True for answers after which the same request may go well: 429, 408, 500, 502, 503, 504.
bool is_passing(int status);
/// How long a server wants not to be asked: Retry-After in seconds.
std::optional<std::chrono::seconds> retry_after(const http::WebResponse& response);

}  // namespace skiff::registry
