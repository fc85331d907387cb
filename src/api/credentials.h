#pragma once

#include <map>
#include <string>

#include "api/call.h"
#include "spec/docker/registry.h"

namespace skiff::api {

/// The X-Registry-Config header: credentials for every registry that the client has some for, by its domain.
std::map<std::string, spec::docker::AuthConfig> credentials_for_all(const Call& call);

}  // namespace skiff::api
