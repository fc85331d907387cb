#include "engine/files.h"

#include "archive/worker.h"
#include "base/strings.h"
#include "engine/container.h"
#include "engine/events.h"
#include "engine/lifecycle.h"
#include "engine/mount_setup.h"
#include "snapshot/root_view.h"
#include "spec/users.h"

namespace skiff::engine {
namespace {

/// Where the worker looks: inside the running container, or at its mounts when it does not run.
Result<archive::Root> root_of(Parts& parts, Container& container) {
  archive::Root root;
  const RunState run = container.run_now();
  if (is_running(run.state) && run.pid > 0) {
    root.process = run.pid;
    return root;
  }
  const Definition definition = container.definition_now();
  root.mounts = TRY(root_mounts(parts, definition));
  for (auto& mount : TRY(prepare_mounts(parts, definition.mounts)))
    if (mount.type == "bind") root.mounts.push_back(mount);
  return root;
}

/// Whose files copied with their "owner" become: Docker means the container's user by it, where it has one.
Result<std::optional<std::pair<uid_t, gid_t>>> owner_of(Parts& parts, const Container& container,
                                                        const Definition& definition) {
  if (definition.config.user.empty()) return std::nullopt;
  const auto view =
      TRY(snapshot::RootView::open(TRY(parts.images.snapshots().mounts(snapshot_key(container.id)))));
  const auto passwd = TRY(view.read("/etc/passwd", spec::kUserFileLimit));
  const auto group = TRY(view.read("/etc/group", spec::kUserFileLimit));
  const auto user =
      TRY(spec::resolve_user(definition.config.user, {}, passwd.value_or(""), group.value_or("")));
  return std::pair<uid_t, gid_t>(user.uid, user.gid);
}

Error not_found(const Error& error, std::string_view path, std::string_view name) {
  if (error.kind() != Kind::NotFound) return error;
  return fail(Kind::NotFound, "Could not find the file {} in container {}", path, name);
}

}  // namespace

Result<spec::docker::PathStat> Files::stat(std::string_view name, const std::string& path) {
  const auto container = TRY(set_.find(name));
  auto stat = archive::stat_path(TRY(root_of(parts_, *container)), path);
  if (!stat.ok()) return not_found(stat.error(), path, name);
  return stat;
}

Result<void> Files::get(std::string_view name, const std::string& path, const sys::Fd& out) {
  const auto container = TRY(set_.find(name));
  auto packed = archive::pack(TRY(root_of(parts_, *container)), path, out);
  if (!packed.ok()) return not_found(packed.error(), path, name);
  return {};
}

Result<void> Files::put(std::string_view name, const std::string& path, const sys::Fd& in,
                        PutOptions options) {
  const auto container = TRY(set_.find(name));
  const Definition definition = container->definition_now();
  bool in_volume = false;
  for (const ContainerMount& mount : definition.mounts) {
    const std::string& at = mount.point.destination;
    if (path != at && !path.starts_with(at + "/")) continue;
    if (!mount.point.rw) return Error(Kind::Forbidden, "mounted volume is marked read-only");
    in_volume = true;
  }
  if (definition.host.readonly_rootfs && !in_volume)
    return Error(Kind::Forbidden, "container rootfs is marked read-only");
  archive::ApplyOptions apply;
  apply.escape = archive::Escape::Confine;
  apply.devices = true;
  apply.absolute_names = true;
  apply.root_attributes = false;
  apply.keep_kinds = options.no_overwrite_dir_non_dir;
  if (options.copy_owner) apply.owner = TRY(owner_of(parts_, *container, definition));
  auto unpacked = archive::unpack(in, TRY(root_of(parts_, *container)), path, apply);
  if (!unpacked.ok()) return not_found(unpacked.error(), path, name);
  return {};
}

}  // namespace skiff::engine
