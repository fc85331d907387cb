#pragma once

#include <memory>
#include <string>

#include "registry/client/repository.h"
#include "registry/server/upstream.h"

namespace skiff::registry::server {

/// The registry at `domain` ("docker.io", "localhost:5000") as an upstream, reached like the engine reaches
/// it. The first request connects.
std::shared_ptr<Upstream> make_registry_upstream(std::string domain, Credentials credentials,
                                                 Settings settings);

}  // namespace skiff::registry::server
