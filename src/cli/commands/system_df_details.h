#pragma once

#include <string>

#include "base/result.h"
#include "spec/docker/system.h"

namespace skiff::cli {

// `system df --verbose`: what takes the room, one line each.
Result<std::string> image_details(const spec::docker::DiskUsage& usage);
Result<std::string> container_details(const spec::docker::DiskUsage& usage);
Result<std::string> volume_details(const spec::docker::DiskUsage& usage);
Result<std::string> cache_details(const spec::docker::DiskUsage& usage);

/// All of it through a template, whose root has Images, Containers, Volumes and BuildCache, or "json".
Result<std::string> formatted_details(const spec::docker::DiskUsage& usage, const std::string& format);

}  // namespace skiff::cli
