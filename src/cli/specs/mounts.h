#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "spec/docker/container.h"

namespace skiff::cli {

/// One --mount value: "type=bind,source=/a,target=/b,readonly". Errors are Docker's sentences.
Result<spec::docker::MountRequest> parse_mount(std::string_view text);

/// What one -v value means.
struct VolumeSpec {
  bool bind = false;  ///< has a source: goes to HostConfig.Binds as `text`
  std::string text;   ///< with a relative source made absolute, or the container's path
};
Result<VolumeSpec> parse_volume(std::string_view text);

/// `path` from the current directory.
std::string absolute_path(std::string_view path);

}  // namespace skiff::cli
