#include "cli/specs/mounts.h"

#include <unistd.h>

#include <algorithm>
#include <climits>
#include <functional>

#include "base/strings.h"
#include "cli/flags.h"
#include "sys/path.h"

namespace skiff::cli {

using spec::docker::BindOptions;
using spec::docker::MountRequest;
using spec::docker::TmpfsOptions;
using spec::docker::VolumeOptions;

std::string absolute_path(std::string_view path) {
  char directory[PATH_MAX];
  if (path.starts_with('/') || !::getcwd(directory, sizeof directory)) return sys::clean_path(path);
  return sys::join_path(directory, path);
}

Result<VolumeSpec> parse_volume(std::string_view text) {
  if (text.empty()) return Error(Kind::InvalidArgument, "invalid empty volume spec");
  if (std::count(text.begin(), text.end(), ':') > 2)
    return fail(Kind::InvalidArgument, "invalid spec: {}: too many colons", text);
  const auto [source, rest] = cut(text, ':');
  if (!rest) return VolumeSpec{false, std::string(text)};
  if (!source.starts_with('.')) return VolumeSpec{true, std::string(text)};
  return VolumeSpec{true, absolute_path(source) + ":" + std::string(*rest)};
}

namespace {

BindOptions& bind_of(MountRequest& mount) {
  return mount.bind_options ? *mount.bind_options : mount.bind_options.emplace();
}
VolumeOptions& volume_of(MountRequest& mount) {
  return mount.volume_options ? *mount.volume_options : mount.volume_options.emplace();
}
TmpfsOptions& tmpfs_of(MountRequest& mount) {
  return mount.tmpfs_options ? *mount.tmpfs_options : mount.tmpfs_options.emplace();
}

Result<bool> boolean_value(std::string_view key, std::string_view value) {
  auto parsed = parse_go_bool(value);
  if (!parsed.ok()) return fail(Kind::InvalidArgument, "invalid value for {}: {}", key, value);
  return parsed;
}

Result<void> set_recursion(MountRequest& mount, std::string_view value) {
  if (value == "enabled") return {};
  if (value == "disabled")
    bind_of(mount).non_recursive = true;
  else if (value == "writable")
    bind_of(mount).read_only_non_recursive = true;
  else if (value == "readonly")
    bind_of(mount).read_only_force_recursive = true;
  else
    return fail(Kind::InvalidArgument,
                "invalid value for bind-recursive: {} (must be \"enabled\", \"disabled\", \"writable\", or "
                "\"readonly\")",
                value);
  return {};
}

Result<void> set_tmpfs(MountRequest& mount, std::string_view key, std::string_view value) {
  if (key == "tmpfs-size") {
    const auto size = parse_ram_size(value);
    if (!size) return fail(Kind::InvalidArgument, "invalid value for {}: {}", key, value);
    tmpfs_of(mount).size_bytes = *size;
    return {};
  }
  std::uint32_t mode = 0;
  for (const char c : value) {
    if (c < '0' || c > '7' || mode > 0777777)
      return fail(Kind::InvalidArgument, "invalid value for {}: {}", key, value);
    mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
  }
  tmpfs_of(mount).mode = mode;
  return {};
}

/// Sets one key; false when there is no such key.
Result<bool> set_value(MountRequest& mount, std::string_view key, std::string_view value) {
  const auto pair_into = [&](std::map<std::string, std::string>& map) {
    const auto [name, text] = cut(value, '=');
    map[std::string(name)] = text.value_or("");
  };
  if (key == "type")
    mount.type = to_lower(value);
  else if (key == "source" || key == "src")
    mount.source = value == "." || value.starts_with("./") || value.starts_with("../") || value == ".."
                       ? absolute_path(value)
                       : std::string(value);
  else if (key == "target" || key == "dst" || key == "destination")
    mount.target = value;
  else if (key == "consistency")
    mount.consistency = to_lower(value);
  else if (key == "bind-propagation")
    bind_of(mount).propagation = to_lower(value);
  else if (key == "bind-nonrecursive")
    bind_of(mount).non_recursive = TRY(boolean_value(key, value));
  else if (key == "bind-recursive")
    TRY(set_recursion(mount, value));
  else if (key == "bind-create-src")
    bind_of(mount).create_mountpoint = TRY(boolean_value(key, value));
  else if (key == "volume-subpath")
    volume_of(mount).subpath = value;
  else if (key == "volume-nocopy")
    volume_of(mount).no_copy = TRY(boolean_value(key, value));
  else if (key == "volume-label")
    pair_into(volume_of(mount).labels);
  else if (key == "volume-driver") {
    if (!volume_of(mount).driver_config) volume_of(mount).driver_config.emplace();
    volume_of(mount).driver_config->name = value;
  } else if (key == "volume-opt") {
    if (!volume_of(mount).driver_config) volume_of(mount).driver_config.emplace();
    pair_into(volume_of(mount).driver_config->options);
  } else if (key == "image-subpath")
    mount.image_options.emplace().subpath = value;
  else if (key == "tmpfs-size" || key == "tmpfs-mode")
    TRY(set_tmpfs(mount, key, value));
  else
    return false;
  return true;
}

Result<void> check_mix(const MountRequest& mount) {
  const auto mixed = [&](std::string_view kind) {
    return fail(Kind::InvalidArgument, "cannot mix '{}-*' options with mount type '{}'", kind, mount.type);
  };
  if (mount.target.empty()) return Error(Kind::InvalidArgument, "target is required");
  if (mount.volume_options && mount.type != "volume") return mixed("volume");
  if (mount.bind_options && mount.type != "bind") return mixed("bind");
  if (mount.image_options && mount.type != "image") return mixed("image");
  if (mount.tmpfs_options && mount.type != "tmpfs") return mixed("tmpfs");
  return {};
}

}  // namespace

Result<MountRequest> parse_mount(std::string_view text) {
  if (trim(text).empty()) return Error(Kind::InvalidArgument, "value is empty");
  MountRequest mount;
  mount.type = "volume";
  for (const auto& field : TRY(parse_csv_line(text))) {
    const auto [raw_key, value] = cut(field, '=');
    const std::string key = to_lower(trim(raw_key));
    if (!value) {
      if (key == "readonly" || key == "ro")
        mount.read_only = true;
      else if (key == "volume-nocopy")
        volume_of(mount).no_copy = true;
      else if (key == "bind-nonrecursive")
        bind_of(mount).non_recursive = true;
      else
        return fail(Kind::InvalidArgument, "invalid field '{}' must be a key=value pair", field);
      continue;
    }
    if (key == "readonly" || key == "ro")
      mount.read_only = TRY(boolean_value(key, *value));
    else if (!TRY(set_value(mount, key, *value)))
      return fail(Kind::InvalidArgument, "unexpected key '{}' in '{}'", key, field);
  }
  TRY(check_mix(mount));
  return mount;
}

}  // namespace skiff::cli
