#pragma once

#include "cli/table.h"
#include "spec/docker/volume.h"

namespace skiff::cli {

/// One line of a list of volumes, in "volume ls" and "system df".
Row volume_row(const spec::docker::Volume& volume);

}  // namespace skiff::cli
