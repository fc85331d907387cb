#pragma once

#include <vector>

#include "base/result.h"
#include "runtime/plan.h"
#include "spec/oci_runtime.h"

namespace skiff::runtime {

/// A user namespace may not make device nodes; the child binds the host's. For each device whose node the
/// host has not, or with another mode or owner, one is made here and put into DeviceStep::node as a detached
/// mount. Owners are translated by the mappings. Does nothing without the right to mknod.
Result<void> make_device_nodes(std::vector<DeviceStep>& devices, const spec::oci::Linux& config);

}  // namespace skiff::runtime
