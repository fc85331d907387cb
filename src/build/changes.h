#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "spec/oci_image.h"

namespace skiff::build {

/// Applies Dockerfile instructions to a config, as `docker commit --change` and `docker import --change` take
/// them: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR.
/// InvalidArgument in Docker's words: "RUN is not a valid change command".
Result<spec::oci::ImageConfig> apply_changes(spec::oci::ImageConfig config,
                                             const std::vector<std::string>& changes);

}  // namespace skiff::build
