#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "spec/oci_runtime.h"
#include "sys/cgroup.h"

/// What the resource limits of config-linux.md mean in the files of cgroups version 1 and 2.
namespace skiff::runtime {

/// Applies everything that `resources` says; what it does not say stays as it is. A limit whose controller is
/// missing is an error that names it, but device rules and defaults are passed over then. Having a device's
/// node is no right to use it: as with runc, `resources` must have a rule for each but the default ones.
Result<void> apply_resources(const sys::Cgroup& cgroup, const spec::oci::Resources& resources);

/// What files of a cgroup held before they were written.
class FormerValues {
 public:
  /// `text` is what writes the former value of the file at `path`.
  void note(std::string path, std::string text);
  /// Writes them back, the last one first, and forgets them. All are tried; the first failure comes back.
  Result<void> restore();

 private:
  std::vector<std::pair<std::string, std::string>> values_;
};

/// As apply_resources without touching devices, for `update`; what it writes over is noted in `former`, if
/// that is not null, also when it fails half-way.
Result<void> update_resources(const sys::Cgroup& cgroup, const spec::oci::Resources& resources,
                              FormerValues* former);

/// Version 1 counts CPU weight from 2 to 262144, version 2 from 1 to 10000.
std::uint64_t cpu_weight_from_shares(std::uint64_t shares);
/// Version 1 block I/O weights go from 10 to 1000, version 2 from 1 to 10000.
std::uint64_t io_weight_from_blkio(std::uint64_t weight);

}  // namespace skiff::runtime
