#pragma once

#include <memory>

#include "base/result.h"
#include "http/address.h"
#include "registry/server/storage.h"

namespace skiff::registry::server {

/// The images of the engine at `address` as the objects of repositories, without a copy of anything: what is
/// listed is what the engine has now, and a blob is made by the engine while it is sent. An image is in the
/// repository of its name, "busybox" and "ghcr.io/a/b", and Docker Hub's own also in "library/busybox"; names
/// with a port are no repository's and left out. Everything that would write is Unsupported. Fails when the
/// engine does not answer or is none of ours.
Result<std::unique_ptr<Storage>> open_engine_storage(http::Address address);

}  // namespace skiff::registry::server
