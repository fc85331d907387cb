#include "engine/mount_setup.h"

#include <sys/stat.h>

#include "engine/lifecycle.h"
#include "snapshot/store.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::engine {
namespace {

void add_access(const ContainerMount& mount, spec::oci::Mount& made) {
  if (mount.point.rw) return;
  // What is mounted below a read-only bind becomes read-only too, as Docker does where the kernel can.
  made.options.emplace_back(mount.non_recursive || mount.read_only_non_recursive ? "ro" : "rro");
}

Result<spec::oci::Mount> prepare_bind(const ContainerMount& mount) {
  const std::string& source = mount.point.source;
  struct stat status {};
  if (::stat(source.c_str(), &status) != 0) {
    if (errno != ENOENT || !mount.create_source) {
      return fail(Kind::InvalidArgument,
                  "invalid mount config for type \"bind\": bind source path does not exist: {}", source);
    }
    TRY_CONTEXT(sys::make_directories(source), "error while creating mount source path '{}'", source);
  }
  spec::oci::Mount made(mount.point.destination, "bind", source, {mount.non_recursive ? "bind" : "rbind"});
  made.options.push_back(mount.point.propagation.empty() ? "rprivate" : mount.point.propagation);
  add_access(mount, made);
  return made;
}

/// The directory inside a volume, resolved so that the volume's links cannot lead out of it.
Result<std::string> subpath_of(const std::string& root, const std::string& subpath) {
  const auto directory = TRY(sys::open_directory(root));
  const auto opened = sys::open_in_root(directory, subpath, O_PATH);
  if (!opened.ok())
    return fail(Kind::InvalidArgument, "cannot access path {}/{}: no such file or directory", root, subpath);
  char path[4096];
  const ssize_t length = ::readlink(sys::fd_path(*opened).c_str(), path, sizeof path);
  if (length <= 0) return fail_errno("readlink of {}", subpath);
  return std::string(path, static_cast<std::size_t>(length));
}

Result<spec::oci::Mount> prepare_volume(Parts& parts, const ContainerMount& mount) {
  spec::oci::Mount made(TRY(parts.volumes.mount_of(mount.point.name)));
  made.destination = mount.point.destination;
  if (!mount.subpath.empty()) made.source = TRY(subpath_of(made.source, mount.subpath));
  add_access(mount, made);
  return made;
}

}  // namespace

Result<std::vector<spec::Mount>> root_mounts(Parts& parts, const Definition& definition) {
  return parts.images.snapshots().mounts(snapshot_key(definition.id), definition.host.auto_remove
                                                                          ? snapshot::Syncs::Ignored
                                                                          : snapshot::Syncs::Honoured);
}

Result<std::vector<spec::oci::Mount>> prepare_mounts(Parts& parts,
                                                     const std::vector<ContainerMount>& mounts) {
  std::vector<spec::oci::Mount> made;
  for (const ContainerMount& mount : mounts) {
    if (mount.point.type == "bind")
      made.push_back(TRY(prepare_bind(mount)));
    else if (mount.point.type == "volume")
      made.push_back(TRY(prepare_volume(parts, mount)));
    else
      made.emplace_back(mount.point.destination, "tmpfs", "tmpfs", mount.tmpfs_options);
  }
  return made;
}

}  // namespace skiff::engine
