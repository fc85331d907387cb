#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/strings.h"
#include "engine/oci_config.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::engine {
namespace {

constexpr int kDeepest = 8;  ///< of directories below a --device directory

std::string_view device_type(mode_t mode) {
  if (S_ISCHR(mode)) return "c";
  if (S_ISBLK(mode)) return "b";
  return "";
}

void add_device(const struct stat& status, const std::string& path, const std::string& access,
                spec::oci::Linux& part) {
  spec::oci::Device device;
  device.path = path;
  device.type = device_type(status.st_mode);
  device.major = static_cast<std::int64_t>(major(status.st_rdev));
  device.minor = static_cast<std::int64_t>(minor(status.st_rdev));
  device.file_mode = status.st_mode & 07777;
  device.uid = status.st_uid;
  device.gid = status.st_gid;
  std::erase_if(part.devices, [&](const spec::oci::Device& d) { return d.path == path; });
  if (!access.empty())
    part.resources->devices.push_back({true, device.type, device.major, device.minor, access});
  part.devices.push_back(std::move(device));
}

/// Devices below a directory, with the directories that Docker leaves out.
void add_tree(const std::string& from, const std::string& to, const std::string& access, int depth,
              spec::oci::Linux& part) {
  const auto names = sys::list_directory(from);
  if (!names.ok() || depth > kDeepest) return;
  for (const std::string& name : *names) {
    if (name == "pts" || name == "shm" || name == "fd" || name == "mqueue" || name == ".lxc" ||
        name == ".lxd-mounts" || name == ".udev" || name == "console" || name == "ptmx")
      continue;
    struct stat status {};
    const std::string path = from + "/" + name;
    if (::lstat(path.c_str(), &status) != 0) continue;
    if (S_ISDIR(status.st_mode))
      add_tree(path, to + "/" + name, access, depth + 1, part);
    else if (!device_type(status.st_mode).empty())
      add_device(status, to + "/" + name, access, part);
  }
}

Result<void> add_mapping(const spec::docker::DeviceMapping& mapping, spec::oci::Linux& part) {
  const std::string to = mapping.path_in_container.empty() ? mapping.path_on_host : mapping.path_in_container;
  const std::string access = mapping.cgroup_permissions.empty() ? "rwm" : mapping.cgroup_permissions;
  struct stat status {};
  // Links are followed: /dev/disk/by-id/... names a device like any other.
  if (::stat(mapping.path_on_host.c_str(), &status) != 0) {
    return fail(Kind::InvalidArgument,
                "error gathering device information while adding custom device \"{}\": {}",
                mapping.path_on_host, errno == ENOENT ? "no such file or directory" : "cannot be read");
  }
  if (S_ISDIR(status.st_mode)) {
    add_tree(mapping.path_on_host, to, access, 0, part);
    return {};
  }
  if (device_type(status.st_mode).empty()) {
    return fail(Kind::InvalidArgument,
                "error gathering device information while adding custom device \"{}\": not a device node",
                mapping.path_on_host);
  }
  add_device(status, sys::clean_path(to), access, part);
  return {};
}

/// "c 1:3 rwm", "a *:* rwm".
Result<spec::oci::DeviceRule> parse_rule(const std::string& text) {
  const Error bad = fail(Kind::InvalidArgument, "invalid device cgroup rule format: '{}'", text);
  const auto parts = split(text, ' ');
  if (parts.size() != 3 || parts[0].size() != 1 ||
      std::string_view("abc").find(parts[0][0]) == std::string_view::npos)
    return bad;
  spec::oci::DeviceRule rule{true, parts[0], std::nullopt, std::nullopt, parts[2]};
  const auto [major_text, minor_text] = cut(parts[1], ':');
  if (!minor_text || parts[2].empty() || parts[2].find_first_not_of("rwm") != std::string::npos) return bad;
  if (major_text != "*") {
    rule.major = parse_int(major_text);
    if (!rule.major || *rule.major < 0) return bad;
  }
  if (*minor_text != "*") {
    rule.minor = parse_int(*minor_text);
    if (!rule.minor || *rule.minor < 0) return bad;
  }
  return rule;
}

Result<dev_t> device_number(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0)
    return fail(Kind::InvalidArgument, "stat {}: {}", path,
                errno == ENOENT ? "no such file or directory" : "cannot be read");
  return status.st_rdev;
}

Result<std::vector<spec::oci::ThrottleDevice>> throttles(
    const std::vector<spec::docker::ThrottleDevice>& given) {
  std::vector<spec::oci::ThrottleDevice> result;
  for (const auto& device : given) {
    const dev_t number = TRY(device_number(device.path));
    result.push_back({major(number), minor(number), device.rate});
  }
  return result;
}

}  // namespace

Result<void> add_device_limits(const spec::docker::Resources& given, spec::oci::Resources& resources) {
  spec::oci::BlockIo io = resources.block_io.value_or(spec::oci::BlockIo{});
  for (const auto& device : given.blkio_weight_device) {
    const dev_t number = TRY(device_number(device.path));
    io.weight_device.push_back({major(number), minor(number), device.weight, std::nullopt});
  }
  io.throttle_read_bps = TRY(throttles(given.blkio_device_read_bps));
  io.throttle_write_bps = TRY(throttles(given.blkio_device_write_bps));
  io.throttle_read_iops = TRY(throttles(given.blkio_device_read_iops));
  io.throttle_write_iops = TRY(throttles(given.blkio_device_write_iops));
  if (io != spec::oci::BlockIo{}) resources.block_io = std::move(io);
  return {};
}

Result<void> add_devices(const spec::docker::HostConfig& host, spec::oci::Linux& part) {
  if (host.privileged) {
    add_tree("/dev", "/dev", "", 0, part);
    part.resources->devices = {{true, "", std::nullopt, std::nullopt, "rwm"}};
    return {};
  }
  for (const auto& mapping : host.resources.devices) TRY(add_mapping(mapping, part));
  for (const std::string& rule : host.resources.device_cgroup_rules)
    part.resources->devices.push_back(TRY(parse_rule(rule)));
  return {};
}

}  // namespace skiff::engine
