#include "spec/defaults.h"

#include <algorithm>

#include "base/strings.h"
#include "sys/capability_names.h"

namespace skiff::spec {
namespace {

using List = std::vector<std::string>;

bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

/// "net_admin" -> "CAP_NET_ADMIN"; "ALL" stays.
Result<List> normalize(const List& names, std::string_view member) {
  List out;
  for (const auto& name : names) {
    std::string upper = to_upper(name);
    if (upper != "ALL") {
      if (!upper.starts_with("CAP_")) upper.insert(0, "CAP_");
      if (!contains(all_capabilities(), upper))
        return fail(Kind::InvalidArgument, "invalid {}: unknown capability: \"{}\"", member, upper);
    }
    out.push_back(std::move(upper));
  }
  return out;
}

oci::DeviceRule device_rule(bool allow, std::string type, std::optional<std::int64_t> major,
                            std::optional<std::int64_t> minor, std::string access) {
  return {allow, std::move(type), major, minor, std::move(access)};
}

}  // namespace

const List& default_capabilities() {
  static const List list = {"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
                            "CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
                            "CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
                            "CAP_KILL",    "CAP_AUDIT_WRITE"};
  return list;
}

const List& all_capabilities() {
  static const List list(sys::kCapabilityNames.begin(), sys::kCapabilityNames.end());
  return list;
}

Result<List> effective_capabilities(const List& add, const List& drop, bool privileged) {
  const auto added = TRY(normalize(add, "CapAdd"));
  const auto dropped = TRY(normalize(drop, "CapDrop"));
  if (privileged) return all_capabilities();
  List out;
  if (contains(added, "ALL")) {
    for (const auto& name : all_capabilities())
      if (!contains(dropped, name)) out.push_back(name);
    return out;
  }
  if (!contains(dropped, "ALL"))
    for (const auto& name : default_capabilities())
      if (!contains(dropped, name)) out.push_back(name);
  for (const auto& name : added)
    if (!contains(out, name)) out.push_back(name);
  return out;
}

const List& default_masked_paths() {
  static const List list = {"/proc/asound",     "/proc/acpi",        "/proc/interrupts",
                            "/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
                            "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
                            "/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap"};
  return list;
}

const List& default_readonly_paths() {
  static const List list = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  return list;
}

std::vector<oci::Mount> default_mounts(std::int64_t shm_bytes) {
  return {
      {"/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}},
      {"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
      {"/dev/pts",
       "devpts",
       "devpts",
       {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
      {"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
      {"/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid", "noexec", "nodev"}},
      {"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
      {"/dev/shm",
       "tmpfs",
       "shm",
       {"nosuid", "noexec", "nodev", "mode=1777", "size=" + std::to_string(shm_bytes)}},
  };
}

std::vector<oci::Device> default_devices() {
  const auto device = [](std::string path, std::int64_t major, std::int64_t minor) {
    return oci::Device{std::move(path), "c", major, minor, 0666, 0, 0};
  };
  return {device("/dev/null", 1, 3),   device("/dev/zero", 1, 5),    device("/dev/full", 1, 7),
          device("/dev/random", 1, 8), device("/dev/urandom", 1, 9), device("/dev/tty", 5, 0)};
}

std::vector<oci::DeviceRule> default_device_rules() {
  std::vector<oci::DeviceRule> rules = {
      device_rule(false, "", {}, {}, "rwm"),
      device_rule(true, "c", {}, {}, "m"),
      device_rule(true, "b", {}, {}, "m"),
  };
  for (const auto& device : default_devices())
    rules.push_back(device_rule(true, device.type, device.major, device.minor, "rwm"));
  rules.push_back(device_rule(true, "c", 5, 1, "rwm"));     // console
  rules.push_back(device_rule(true, "c", 5, 2, "rwm"));     // ptmx
  rules.push_back(device_rule(true, "c", 136, {}, "rwm"));  // pts
  return rules;
}

}  // namespace skiff::spec
