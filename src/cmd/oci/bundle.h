#pragma once

#include <string>

#include "base/result.h"
#include "cmd/oci/flags.h"
#include "spec/oci_runtime.h"
#include "sys/cgroup.h"

/// What create, run and restore look at before they begin.
namespace skiff::oci {

/// The text of the configuration: --config, or the bundle's config.json. NotFound: `JSON specification file
/// config.json not found`.
Result<std::string> read_config(const Flags& flags, const std::string& bundle);

/// The root file system must be a directory. InvalidArgument and NotFound name root.path.
Result<void> check_root(const spec::oci::Runtime& config, const std::string& bundle);

/// Conflict when somebody else's processes are in the cgroup: they would share the limits, and die with the
/// container.
Result<void> check_cgroup(const sys::Cgroup& cgroup);

}  // namespace skiff::oci
