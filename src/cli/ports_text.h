#pragma once

#include <string>
#include <vector>

#include "spec/docker/container.h"

namespace skiff::cli {

/// A container's ports as lists show them: "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 443/tcp"; neighbouring
/// ports that are published under their own numbers become one range.
std::string ports_text(std::vector<spec::docker::Port> ports);

/// "host:port", with brackets around an IPv6 address.
std::string host_and_port(const std::string& host, const std::string& port);

}  // namespace skiff::cli
