#pragma once

#include <string_view>

#include "base/result.h"
#include "http/web.h"
#include "registry/client/settings.h"

namespace skiff::registry {

/// What the folder of a registry ("<directory>/<host:port>") holds, in all directories of the settings:
/// "*.crt" are authorities beside the system's, "x.cert" with "x.key" is who we are. As in Docker a
/// certificate without its key, and the other way round, is an error. InvalidArgument, Forbidden.
Result<http::WebTrust> trust_for(std::string_view domain, const Settings& settings);

}  // namespace skiff::registry
