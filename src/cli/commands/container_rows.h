#pragma once

#include "cli/table.h"
#include "spec/docker/container.h"

namespace skiff::cli {

/// One line of a list of containers, in "ps" and "system df". `truncate` cuts ids, commands and names of
/// volumes as tables do.
Columns container_columns();
Row container_row(const spec::docker::ContainerSummary& container, bool truncate);

}  // namespace skiff::cli
