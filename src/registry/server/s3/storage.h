#pragma once

#include <memory>

#include "base/result.h"
#include "registry/server/s3/client.h"
#include "registry/server/storage.h"

namespace skiff::registry::server {

/// In a bucket of an object store, which any number of processes may share. Fails when the bucket cannot be
/// listed.
Result<std::unique_ptr<Storage>> open_s3_storage(s3::Settings settings);

}  // namespace skiff::registry::server
