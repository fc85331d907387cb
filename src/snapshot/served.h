#pragma once

#include <string>

#include "base/result.h"

namespace skiff::snapshot {

/// Makes the empty place in a snapshot's folder at which somebody may mount its files.
Result<void> make_served_place(const std::string& directory);

/// Takes it down again, with what is mounted there, however often. Who uses that goes on doing so
/// (umount2(2), MNT_DETACH). Whoever was told the path finds nothing there from one moment to the next, and
/// never an empty folder, which would look like a layer without files. A place that is not there is fine.
Result<void> remove_served_place(const std::string& directory);

}  // namespace skiff::snapshot
