#include "engine/mounts.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "sys/path.h"

namespace skiff::engine {
namespace {

Error invalid_spec(std::string_view spec) {
  return fail(Kind::InvalidArgument, "invalid volume specification: '{}'", spec);
}

bool is_propagation(std::string_view word) {
  constexpr std::array<std::string_view, 6> kWords = {"private", "rprivate", "slave",
                                                      "rslave",  "shared",   "rshared"};
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

/// Reads "ro,z,nocopy,rslave"; each sort of option may be given once.
Result<void> apply_mode(std::string_view mode, ContainerMount& mount) {
  int access = 0;
  int label = 0;
  int propagation = 0;
  int copy = 0;
  for (const std::string& word : split(mode, ',')) {
    if (word == "ro" || word == "rw") {
      ++access;
      mount.point.rw = word == "rw";
    } else if (word == "z" || word == "Z") {
      ++label;
    } else if (is_propagation(word) && mount.point.type == "bind") {
      ++propagation;
      mount.point.propagation = word;
    } else if (word == "nocopy" && mount.point.type == "volume") {
      ++copy;
      mount.copy_up = false;
    } else if (word != "consistent" && word != "cached" && word != "delegated") {
      return fail(Kind::InvalidArgument, "invalid mode: {}", mode);
    }
  }
  if (access > 1 || label > 1 || propagation > 1 || copy > 1)
    return fail(Kind::InvalidArgument, "invalid mode: {}", mode);
  return {};
}

}  // namespace

Result<std::string> check_destination(std::string_view destination) {
  if (!destination.starts_with('/') || destination.find('\0') != std::string_view::npos)
    return fail(Kind::InvalidArgument, "invalid mount path: '{}' mount path must be absolute", destination);
  std::string clean = sys::clean_path(destination);
  if (clean == "/") return Error(Kind::InvalidArgument, "invalid specification: destination can't be '/'");
  return clean;
}

namespace {

void make_volume(ContainerMount& mount, std::string name, std::string_view driver) {
  mount.point.type = "volume";
  mount.anonymous = name.empty();
  mount.point.name = std::move(name);
  mount.point.driver = driver.empty() ? "local" : std::string(driver);
  mount.copy_up = true;
}

Error mount_error(const spec::docker::MountRequest& mount, std::string_view what) {
  return fail(Kind::InvalidArgument, "invalid mount config for type \"{}\": {}", mount.type, what);
}

Result<void> settle_bind(const spec::docker::MountRequest& request, bool (*exists)(const std::string&),
                         ContainerMount& mount) {
  if (request.volume_options) return mount_error(request, "field VolumeOptions must not be specified");
  if (request.tmpfs_options) return mount_error(request, "field TmpfsOptions must not be specified");
  if (request.source.empty()) return mount_error(request, "field Source must not be empty");
  mount.point.propagation = "rprivate";
  if (const auto& options = request.bind_options) {
    if (!options->propagation.empty()) {
      if (!is_propagation(options->propagation))
        return mount_error(request, fmt::format("invalid propagation mode: {}", options->propagation));
      mount.point.propagation = options->propagation;
    }
    mount.non_recursive = options->non_recursive;
    mount.read_only_non_recursive = options->read_only_non_recursive;
    mount.create_source = options->create_mountpoint;
  }
  if (request.source[0] != '/') {
    return mount_error(request,
                       fmt::format("invalid mount path: '{}' mount path must be absolute", request.source));
  }
  mount.point.source = sys::clean_path(request.source);
  if (!mount.create_source && !exists(mount.point.source))
    return mount_error(request, fmt::format("bind source path does not exist: {}", mount.point.source));
  return {};
}

Result<void> settle_volume(const spec::docker::MountRequest& request, ContainerMount& mount) {
  if (request.bind_options) return mount_error(request, "field BindOptions must not be specified");
  if (request.tmpfs_options) return mount_error(request, "field TmpfsOptions must not be specified");
  const auto& options = request.volume_options;
  make_volume(mount, request.source, options && options->driver_config ? options->driver_config->name : "");
  if (request.source.empty() && request.read_only)
    return mount_error(request, "must not set ReadOnly mode when using anonymous volumes");
  if (options) {
    mount.copy_up = !options->no_copy;
    mount.subpath = options->subpath;
    if (!mount.subpath.empty() &&
        (mount.subpath[0] == '/' || sys::clean_path(mount.subpath).starts_with("..")))
      return mount_error(request, "subpath must be a relative path within the volume");
  }
  return {};
}

Result<void> settle_tmpfs(const spec::docker::MountRequest& request, ContainerMount& mount) {
  if (request.bind_options) return mount_error(request, "field BindOptions must not be specified");
  if (request.volume_options) return mount_error(request, "field VolumeOptions must not be specified");
  if (!request.source.empty()) return mount_error(request, "field Source must not be specified");
  mount.tmpfs_options = {"noexec", "nosuid", "nodev"};
  if (request.read_only) mount.tmpfs_options.push_back("ro");
  if (const auto& options = request.tmpfs_options) {
    if (options->size_bytes < 0) return mount_error(request, "size must not be negative");
    if (options->size_bytes > 0) mount.tmpfs_options.push_back(fmt::format("size={}", options->size_bytes));
    if (options->mode != 0) mount.tmpfs_options.push_back(fmt::format("mode={:o}", options->mode));
    for (const auto& option : options->options)
      if (!option.empty()) mount.tmpfs_options.push_back(join(option, "="));
  }
  return {};
}

}  // namespace

Result<ContainerMount> parse_bind(std::string_view spec, std::string_view volume_driver) {
  const std::vector<std::string> parts = split(spec, ':');
  if (parts.size() > 3 || parts[0].empty()) return invalid_spec(spec);
  ContainerMount mount;
  std::string mode;
  std::string destination;
  if (parts.size() == 1) {
    destination = parts[0];
    make_volume(mount, "", volume_driver);
  } else {
    if (parts[1].empty()) return invalid_spec(spec);
    destination = parts[1];
    if (parts[0][0] == '/') {
      mount.point.type = "bind";
      mount.point.source = sys::clean_path(parts[0]);
      mount.point.propagation = "rprivate";
      mount.create_source = true;
    } else {
      make_volume(mount, parts[0], volume_driver);
    }
    if (parts.size() == 3) mode = parts[2];
    if (parts.size() == 3 && mode.empty()) return invalid_spec(spec);
  }
  auto clean = check_destination(destination);
  if (!clean.ok()) {
    return clean.error().with_context(fmt::format(
        "invalid volume specification: '{}': invalid mount config for type \"{}\"", spec, mount.point.type));
  }
  mount.point.destination = std::move(clean).value();
  if (!mode.empty()) TRY(apply_mode(mode, mount));
  mount.point.mode = mode.empty() && mount.point.type == "volume" ? "z" : mode;
  return mount;
}

Result<ContainerMount> parse_mount(const spec::docker::MountRequest& request,
                                   bool (*exists)(const std::string&)) {
  ContainerMount mount;
  mount.from_mounts = true;
  mount.point.type = request.type;
  if (request.target.empty()) return mount_error(request, "field Target must not be empty");
  auto destination = check_destination(request.target);
  if (!destination.ok()) return mount_error(request, destination.error().message());
  mount.point.destination = std::move(destination).value();
  mount.point.rw = !request.read_only;
  if (request.type == "bind") {
    TRY(settle_bind(request, exists, mount));
  } else if (request.type == "volume") {
    TRY(settle_volume(request, mount));
    mount.point.mode = "z";
  } else if (request.type == "tmpfs") {
    TRY(settle_tmpfs(request, mount));
  } else {
    return mount_error(request, "mount type unknown");
  }
  return mount;
}

Result<VolumesFrom> parse_volumes_from(std::string_view spec) {
  if (spec.empty())
    return Error(Kind::InvalidArgument, "volumes-from specification cannot be an empty string");
  const auto [container, mode] = cut(spec, ':');
  VolumesFrom from{std::string(container), mode ? std::string(*mode) : "rw", false};
  ContainerMount probe;
  probe.point.type = "volume";
  TRY(apply_mode(from.mode, probe));
  from.read_only = !probe.point.rw;
  return from;
}

Result<std::vector<std::string>> tmpfs_options(std::string_view text) {
  std::vector<std::string> options = {"noexec", "nosuid", "nodev"};
  if (text.empty()) return options;
  constexpr std::array<std::string_view, 22> kPlain = {
      "ro",       "rw",         "exec",        "noexec",        "suid",     "nosuid",
      "dev",      "nodev",      "sync",        "async",         "atime",    "noatime",
      "relatime", "norelatime", "strictatime", "nostrictatime", "diratime", "nodiratime",
      "dirsync",  "mand",       "nomand",      "swap"};
  constexpr std::array<std::string_view, 7> kWithValue = {"size",      "mode",      "uid", "gid",
                                                          "nr_inodes", "nr_blocks", "mpol"};
  for (std::string& word : split(text, ',')) {
    const auto [name, value] = cut(word, '=');
    const bool plain = !value && std::find(kPlain.begin(), kPlain.end(), name) != kPlain.end();
    const bool valued = value && std::find(kWithValue.begin(), kWithValue.end(), name) != kWithValue.end();
    if (!plain && !valued && !is_propagation(word))
      return fail(Kind::InvalidArgument, "invalid tmpfs option {}", quote(word));
    // The opposite of what was said before wins, so "exec" takes the default "noexec" away.
    const std::string opposite = word.starts_with("no") ? word.substr(2) : "no" + word;
    std::erase(options, opposite);
    if (std::find(options.begin(), options.end(), word) == options.end()) options.push_back(std::move(word));
  }
  return options;
}

void sort_by_destination(std::vector<ContainerMount>& mounts) {
  const auto depth = [](const ContainerMount& mount) {
    return std::count(mount.point.destination.begin(), mount.point.destination.end(), '/');
  };
  std::stable_sort(mounts.begin(), mounts.end(),
                   [&](const auto& a, const auto& b) { return depth(a) < depth(b); });
}

}  // namespace skiff::engine
