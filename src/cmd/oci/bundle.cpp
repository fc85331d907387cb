#include "cmd/oci/bundle.h"

#include <sys/stat.h>

#include "sys/file.h"
#include "sys/path.h"

namespace skiff::oci {

Result<std::string> read_config(const Flags& flags, const std::string& bundle) {
  if (flags.has("config")) return sys::read_file(flags.get("config"));
  if (!sys::exists(bundle)) return fail(Kind::NotFound, "chdir {}: no such file or directory", bundle);
  auto text = sys::read_file(bundle + "/config.json");
  if (!text && text.error().kind() == Kind::NotFound)
    return Error(Kind::NotFound, "JSON specification file config.json not found");
  return text;
}

Result<void> check_root(const spec::oci::Runtime& config, const std::string& bundle) {
  if (!config.root || config.root->path.empty())
    return Error(Kind::InvalidArgument, "root must be specified");
  const auto path = sys::join_path(bundle, config.root->path);
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("root.path: invalid rootfs: stat {}", path);
  if (!S_ISDIR(info.st_mode))
    return fail(Kind::InvalidArgument, "root.path: invalid rootfs: {} is not a directory", path);
  return {};
}

Result<void> check_cgroup(const sys::Cgroup& cgroup) {
  if (const auto inside = cgroup.processes(); inside && !inside->empty())
    return fail(Kind::Conflict, "container's cgroup is not empty: {} process(es) found", inside->size());
  if (const auto frozen = cgroup.frozen(); frozen && *frozen)
    return Error(Kind::Conflict, "container's cgroup unexpectedly frozen");
  return {};
}

}  // namespace skiff::oci
