#pragma once

#include <string_view>

#include "base/result.h"
#include "http/address.h"

namespace skiff::client {

/// Where an engine is, as -H, DOCKER_HOST and contexts say it: what http::Address reads, and
/// "ssh://[user@]host[:port][/path of a socket there]", which leads through ssh to `skiff system dial-stdio`
/// (or docker's, where there is no skiff) on that machine. InvalidArgument in Docker's words.
Result<http::Address> parse_host(std::string_view text);

}  // namespace skiff::client
