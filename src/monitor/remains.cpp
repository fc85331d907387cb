#include "monitor/remains.h"

#include "monitor/container_cgroup.h"
#include "monitor/external_program.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

Result<void> end_processes(const Remains& remains) {
  return remove_cgroup(sys::Cgroup(TRY(sys::CgroupLayout::detect()), remains.cgroup), remains.unit);
}

}  // namespace

Result<void> remove_remains(const std::string& id, const std::string& run_directory, const Remains& remains) {
  Result<void> external;
  const std::string directory = external_directory(run_directory);
  if (remains.runtime) external = ExternalProgram(*remains.runtime, id, directory).remove();
  auto ended = end_processes(remains);
  auto files = remains.runtime ? sys::remove_tree(directory) : success();
  if (!ended) return ended;
  return external ? files : external;
}

}  // namespace skiff::monitor
