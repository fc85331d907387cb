#include "runtime/mapped_source.h"

#include <cerrno>

#include "sys/namespace.h"
#include "sys/syscalls.h"

namespace skiff::runtime {

std::string format_mappings(const std::vector<spec::oci::IdMapping>& mappings) {
  std::string text;
  for (const auto& m : mappings) text += fmt::format("{} {} {}\n", m.container_id, m.host_id, m.size);
  return text;
}

Result<sys::Fd> open_mapped_source(const MountStep& step, const spec::oci::Mount& mount,
                                   const spec::oci::Linux& config) {
  if (step.action != MountStep::Action::Bind)
    return fail(Kind::InvalidArgument, "mount {}: only bind mounts can be id-mapped", step.destination);
  if (mount.uid_mappings.empty() != mount.gid_mappings.empty())
    return fail(Kind::InvalidArgument, "mount {}: uidMappings and gidMappings belong together",
                step.destination);
  const bool own = !mount.uid_mappings.empty();
  const auto& uids = own ? mount.uid_mappings : config.uid_mappings;
  const auto& gids = own ? mount.gid_mappings : config.gid_mappings;
  if (uids.empty() || gids.empty())
    return fail(Kind::InvalidArgument,
                "mount {}: is to be id-mapped, but neither it nor the user namespace has mappings",
                step.destination);
  const auto userns = TRY_CONTEXT(sys::make_user_namespace(format_mappings(uids), format_mappings(gids)),
                                  "mount {}", step.destination);
  sys::Fd tree(sys::raw::open_tree(AT_FDCWD, step.source.c_str(),
                                   OPEN_TREE_CLONE | (step.recursive ? AT_RECURSIVE : 0)));
  if (!tree) return fail_errno("bind mount {} to {}", step.source, step.destination);
  if (sys::raw::mount_idmap(tree.get(), userns.get(), step.idmap == MountStep::IdMap::Tree) == 0) return tree;
  if (errno == EINVAL)
    return fail(Kind::Unsupported, "mount {}: the file system of {} cannot be id-mapped", step.destination,
                step.source);
  return fail_errno("id-map {} for {}", step.source, step.destination);
}

}  // namespace skiff::runtime
