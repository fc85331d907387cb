#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/docker/container.h"

namespace skiff::cli {

/// What -p and --expose ask for.
struct PublishedPorts {
  spec::Set exposed;
  spec::docker::PortMap bindings;
};

/// Adds one -p value: [[ip:][host[-last]]:]container[-last][/protocol], or target=...,published=...
Result<void> add_published_port(std::string_view text, PublishedPorts& ports);
/// Adds one --expose value: port[-last][/protocol].
Result<void> add_exposed_port(std::string_view text, PublishedPorts& ports);

}  // namespace skiff::cli
