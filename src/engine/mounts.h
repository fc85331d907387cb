#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/container.h"
#include "spec/docker/container.h"

/// Reading -v and --mount: text and structs in, ContainerMounts out. Nothing is made or mounted here.
namespace skiff::engine {

/// A mount's clean destination. InvalidArgument: "invalid mount path: 'x' mount path must be absolute".
Result<std::string> check_destination(std::string_view destination);

/// One of HostConfig.Binds: "source:destination[:options]" or "destination[:options]". A source that begins
/// with "/" is a host path, any other one a volume's name. InvalidArgument with Docker's sentences.
Result<ContainerMount> parse_bind(std::string_view spec, std::string_view volume_driver);

/// One of HostConfig.Mounts. `exists` tells whether a host path is there: a bind needs its source.
Result<ContainerMount> parse_mount(const spec::docker::MountRequest& mount,
                                   bool (*exists)(const std::string&));

/// "container[:ro|rw|z|Z]" of --volumes-from.
struct VolumesFrom {
  std::string container;
  std::string mode;
  bool read_only = false;
};
Result<VolumesFrom> parse_volumes_from(std::string_view spec);

/// The options of a tmpfs mount from --tmpfs ("size=64m,mode=1777,exec") as mount options: noexec, nosuid and
/// nodev come first, and what the user says of them last. InvalidArgument: `invalid tmpfs option ["x"]`.
Result<std::vector<std::string>> tmpfs_options(std::string_view text);

/// All mounts of a container in the order they are made: parents before what lies in them.
void sort_by_destination(std::vector<ContainerMount>& mounts);

}  // namespace skiff::engine
