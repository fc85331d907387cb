#pragma once

#include <string>
#include <vector>

namespace skiff::spec {

/// A mount that somebody is to make: snapshots return such values, the runtime acts on them, and neither
/// knows the other. The fields are those of the OCI runtime specification (config.md, "Mounts").
struct Mount {
  std::string destination;  ///< absolute path inside the container; "" for the root file system itself
  std::string type;         ///< "bind", "overlay", "tmpfs", "proc" ...
  std::string source;
  std::vector<std::string>
      options;  ///< overlay: one "lowerdir+=<path>" a layer, topmost first; "upperdir=", "workdir="
};

}  // namespace skiff::spec
