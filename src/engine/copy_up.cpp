#include "engine/copy_up.h"

#include <fcntl.h>
#include <unistd.h>

#include <thread>

#include "archive/worker.h"
#include "engine/lifecycle.h"
#include "snapshot/root_view.h"
#include "sys/file.h"

namespace skiff::engine {
namespace {

Result<void> copy_tree(const std::vector<spec::Mount>& rootfs, const std::string& path,
                       const std::string& target) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  sys::Fd reading(ends[0]);
  sys::Fd writing(ends[1]);
  Result<void> packed;
  std::thread packer([&] {
    archive::Root root;
    root.mounts = rootfs;
    packed = archive::pack(root, path + "/.", writing);
    writing.reset();
  });
  const auto unpack = [&]() -> Result<void> {
    const auto directory = TRY(sys::open_directory(target));
    archive::Root root;
    root.directory = directory.get();
    archive::ApplyOptions options;
    options.escape = archive::Escape::Confine;
    options.devices = true;
    TRY(archive::unpack(reading, root, "/", options));
    return {};
  };
  const auto unpacked = unpack();
  reading.reset();  // a packer whose reader failed ends with EPIPE
  packer.join();
  TRY(unpacked);
  return packed;
}

}  // namespace

Result<void> copy_up(Parts& parts, const Definition& definition) {
  std::vector<spec::Mount> rootfs;
  std::optional<snapshot::RootView> view;
  for (const ContainerMount& mount : definition.mounts) {
    if (!mount.copy_up || !mount.subpath.empty() || !TRY(parts.volumes.is_empty(mount.point.name))) continue;
    if (!view) {
      rootfs = TRY(parts.images.snapshots().mounts(snapshot_key(definition.id)));
      view.emplace(TRY(snapshot::RootView::open(rootfs)));
    }
    if (!view->is_directory(mount.point.destination)) continue;
    TRY_CONTEXT(copy_tree(rootfs, mount.point.destination, mount.point.source),
                "failed to populate volume {}", mount.point.name);
  }
  return {};
}

}  // namespace skiff::engine
