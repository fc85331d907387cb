#pragma once

#include <map>
#include <string>

#include "base/result.h"
#include "spec/oci_runtime.h"
#include "sys/cgroup.h"
#include "sys/dbus.h"

/// A container's cgroup as a transient unit of systemd: what the configuration's names and limits are there.
/// The names are runc's, and so Docker's and Podman's.
namespace skiff::runtime {

struct SystemdUnit {
  std::string slice;           ///< "system.slice"; "" when the configuration names none
  std::string name;            ///< "docker-1234.scope", or a slice
  std::string cgroup;          ///< path in the hierarchies: "system.slice/docker-1234.scope"
  sys::dbus::Properties more;  ///< what annotations want beside
};

/// From linux.cgroupsPath, "slice:prefix:name" or "", as an ordinary user below the manager's cgroup
/// `manager`
/// ("": of the system's). InvalidArgument in runc's words.
Result<SystemdUnit> systemd_unit(const std::string& cgroups_path, const std::string& id,
                                 const std::string& manager);
/// "test-a.slice" lies in "test.slice": the path "test.slice/test-a.slice".
Result<std::string> slice_path(const std::string& slice);

/// What the annotations `org.systemd.property.NAME` say, in GVariant's text form (sys::dbus::parse_value),
/// with seconds made into microseconds. InvalidArgument in runc's words.
Result<sys::dbus::Properties> annotated_properties(const std::map<std::string, std::string>& annotations);
/// What the unit is started with: `pid` is its first process.
Result<sys::dbus::Properties> unit_properties(const SystemdUnit& unit, const std::string& id, pid_t pid,
                                              const spec::oci::Resources& resources, bool unified,
                                              int version);
/// The limits of `resources` that systemd of this version knows in this version of cgroups; it would write
/// over what only stands in the files. Without devices for an update, as in update_resources().
Result<sys::dbus::Properties> resource_properties(const spec::oci::Resources& resources, bool unified,
                                                  int version);

/// Starts the unit with `pid` in it.
Result<void> start_unit(const SystemdUnit& unit, const std::string& id, pid_t pid,
                        const spec::oci::Resources& resources, bool unified);
/// Gives a running container new limits: its cgroup, and its unit where `unit` is not empty. When one of them
/// is refused, those before it are set back.
Result<void> update_limits(const sys::Cgroup& cgroup, const std::string& unit,
                           const spec::oci::Resources& resources);
/// Stops it; there may be none any more, since it ends with its last process.
Result<void> stop_unit(const std::string& name);
/// Of a container with this configuration. Unavailable: systemd does not run here.
Result<SystemdUnit> find_unit(const spec::oci::Runtime& config, const std::string& id);

}  // namespace skiff::runtime
