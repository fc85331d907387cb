#include "runtime/systemd_unit.h"

#include <unistd.h>

#include "base/strings.h"
#include "runtime/cgroup.h"
#include "sys/systemd.h"

namespace skiff::runtime {
namespace {

constexpr std::string_view kSlice = ".slice";
constexpr const char* kDefaultPrefix = "skiff";

Result<void> check_booted() {
  if (sys::Systemd::booted()) return {};
  return Error(Kind::Unavailable, "systemd not running on this host, cannot use systemd cgroups manager");
}

const char* default_slice() { return ::geteuid() == 0 ? "system.slice" : "user.slice"; }

}  // namespace

Result<std::string> slice_path(const std::string& slice) {
  const auto invalid = [&] { return fail(Kind::InvalidArgument, "invalid slice name: {}", slice); };
  if (!slice.ends_with(kSlice) || slice.find('/') != std::string::npos) return invalid();
  const auto name = slice.substr(0, slice.size() - kSlice.size());
  if (name == "-") return std::string();
  std::string path;
  std::string prefix;
  for (const auto& part : split(name, '-')) {
    if (part.empty()) return invalid();
    path += fmt::format("{}{}{}{}", path.empty() ? "" : "/", prefix, part, kSlice);
    prefix += part + "-";
  }
  return path;
}

Result<SystemdUnit> systemd_unit(const std::string& cgroups_path, const std::string& id,
                                 const std::string& manager) {
  SystemdUnit unit;
  std::string prefix = kDefaultPrefix;
  std::string name = id;
  if (!cgroups_path.empty()) {
    const auto parts = split(cgroups_path, ':');
    if (parts.size() != 3) {
      return fail(
          Kind::InvalidArgument,
          "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got {} instead",
          quote(cgroups_path));
    }
    unit.slice = parts[0];
    prefix = parts[1];
    name = parts[2];
  }
  unit.name = name.ends_with(kSlice) ? name : fmt::format("{}-{}.scope", prefix, name);
  if (unit.name.find('/') != std::string::npos)
    return fail(Kind::InvalidArgument, "invalid unit name: {}", unit.name);
  for (const auto& part :
       {manager, TRY(slice_path(unit.slice.empty() ? default_slice() : unit.slice)), unit.name})
    if (!part.empty()) unit.cgroup += (unit.cgroup.empty() ? "" : "/") + part;
  return unit;
}

Result<SystemdUnit> find_unit(const spec::oci::Runtime& config, const std::string& id) {
  TRY(check_booted());
  std::string manager;
  if (::geteuid() != 0) {
    manager = TRY(TRY(sys::Systemd::connect()).control_group());
    if (manager.starts_with('/')) manager.erase(0, 1);
  }
  auto unit = TRY(systemd_unit(config.linux_ ? config.linux_->cgroups_path : "", id, manager));
  unit.more = TRY(annotated_properties(config.annotations));
  return unit;
}

Result<void> start_unit(const SystemdUnit& unit, const std::string& id, pid_t pid,
                        const spec::oci::Resources& resources, bool unified) {
  auto systemd = TRY(sys::Systemd::connect());
  const int version = systemd.version();
  return systemd.start(unit.name, TRY(unit_properties(unit, id, pid, resources, unified, version)));
}

namespace {

/// Tells the unit `name` of new limits.
Result<void> update_unit(const std::string& name, const spec::oci::Resources& resources, bool unified) {
  auto systemd = TRY(sys::Systemd::connect());
  const int version = systemd.version();
  const auto properties = TRY(resource_properties(resources, unified, version));
  return properties.empty() ? success() : systemd.set(name, properties);
}

Result<void> update_files_and_unit(const sys::Cgroup& cgroup, const std::string& unit,
                                   const spec::oci::Resources& resources, FormerValues& former) {
  TRY(update_resources(cgroup, resources, &former));
  if (unit.empty()) return {};
  TRY(update_unit(unit, resources, cgroup.layout().pure_unified()));
  // Once more, since systemd has written what it rounds.
  return update_resources(cgroup, resources, nullptr);
}

}  // namespace

Result<void> update_limits(const sys::Cgroup& cgroup, const std::string& unit,
                           const spec::oci::Resources& resources) {
  FormerValues former;
  auto updated = update_files_and_unit(cgroup, unit, resources, former);
  if (updated) return updated;
  if (auto restored = former.restore(); !restored)
    return fail(updated.error().kind(), "{}; what was changed before that could not be set back: {}",
                updated.error().message(), restored.error().message());
  return updated;
}

Result<void> stop_unit(const std::string& name) { return TRY(sys::Systemd::connect()).stop(name); }

}  // namespace skiff::runtime
