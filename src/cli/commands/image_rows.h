#pragma once

#include "cli/table.h"
#include "spec/docker/image.h"

namespace skiff::cli {

namespace docker = spec::docker;

/// One line of a list of images, in "image ls" and "system df".
Columns image_columns();
Row image_row(const docker::ImageSummary& image, std::string_view repository, std::string_view tag,
              std::string_view digest, bool truncate);

}  // namespace skiff::cli
