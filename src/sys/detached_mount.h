#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace skiff::sys {

/// Makes a file system and returns its root without attaching it anywhere: no namespace shows it, and it goes
/// with its last descriptor (fsopen(2), fsmount(2)). `options` are those of mount(8): "name" or "name=value",
/// in order; "ro" makes it read-only. A "bind" is simply its source opened.
Result<Fd> mount_detached(const std::string& type, const std::string& source,
                          const std::vector<std::string>& options);

}  // namespace skiff::sys
