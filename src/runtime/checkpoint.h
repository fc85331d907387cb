#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/criu_protocol.h"
#include "runtime/systemd_unit.h"
#include "spec/oci_runtime.h"
#include "sys/cgroup.h"
#include "sys/fd.h"
#include "sys/spawn.h"

/// Containers saved to files and brought back, by criu(8): what of it a container's configuration decides.
/// The images are runc's and crun's too.
namespace skiff::runtime {

/// Where the image lies, and what its maker wishes.
struct Image {
  std::string directory;
  std::string work_directory;  ///< of logs and statistics; "" is `directory`
  criu::Options wishes;        ///< what a command line says; the container's part is filled in
};

/// Which annotation names a configuration file of criu; without it /etc/criu/runc.conf is read, as by every
/// runtime.
inline constexpr const char* kCriuConfigAnnotation = "org.criu.config";

struct Checkpoint {
  Image image;
  bool pre_dump = false;
  int status_fd = -1;                    ///< gets a zero byte and is closed once lazy pages can be asked for
  std::vector<std::string> descriptors;  ///< what the standard streams were when the container was made
};

/// Saves the container whose first process is `process`. Unless it shall run on, its processes are dead
/// afterwards. After an error they run as before; Internal then carries criu's type and number and names its
/// log.
Result<void> checkpoint(const Checkpoint& wanted, const spec::oci::Runtime& config, const std::string& rootfs,
                        const sys::Process& process, const sys::Cgroup& cgroup);

struct RestoreOptions {
  Image image;
  std::string id;
  spec::oci::Runtime config;
  std::string bundle;  ///< directory that relative paths of the config start from
  std::string rootfs;
  std::string mount_point;  ///< an empty directory to bind `rootfs` to, which only criu sees
  std::string cgroup_path;
  std::optional<SystemdUnit> unit;  ///< systemd makes the cgroup
  /// Called when all is there but does not run yet; an error takes it all back.
  std::function<Result<void>(const sys::Process& process)> restored;
};

struct Restored {
  sys::Process process;  ///< a child of the caller, who reaps it
  sys::Fd console;       ///< the pty's master, when it has a terminal
};

/// Brings a container back: its cgroup with the limits of the configuration, its processes with 0, 1 and 2 of
/// the caller as their standard streams where those were pipes. Runs the hooks prestart and createRuntime.
/// After an error nothing is left of it.
Result<Restored> restore(const RestoreOptions& options);

/// The file that criu writes about a dump, or about a restore.
std::string criu_log(const Image& image, bool restoring);

/// "pipe:[123]", "/dev/null": what the streams 0, 1 and 2 of a process are, "" for one that cannot be told.
std::vector<std::string> standard_descriptors(pid_t pid);

}  // namespace skiff::runtime
