#include <unistd.h>

#include "cmd/oci/commands.h"
#include "runtime/features.h"
#include "spec/defaults.h"
#include "spec/oci_runtime.h"
#include "sys/file.h"

namespace skiff::oci {
namespace {

using spec::oci::Mount;

std::vector<Mount> starter_mounts(bool rootless) {
  using Options = std::vector<std::string>;
  Options pts = {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"};
  // In a user namespace with one id there is no group of terminals.
  if (!rootless) pts.emplace_back("gid=5");
  const auto sys = rootless ? Mount("/sys", "none", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"})
                            : Mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"});
  return {Mount("/proc", "proc", "proc", {}),
          Mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}),
          Mount("/dev/pts", "devpts", "devpts", pts),
          Mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}),
          Mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}),
          sys,
          Mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"})};
}

spec::oci::Runtime starter_configuration(bool rootless) {
  spec::oci::Runtime config;
  config.root = spec::oci::Root{"rootfs", true};
  config.hostname = "skiff";
  auto& process = config.process.emplace();
  process.terminal = true;
  process.args = {"sh"};
  process.env = {std::string(spec::kDefaultPath), "TERM=xterm"};
  process.no_new_privileges = true;
  process.rlimits = {{"RLIMIT_NOFILE", 1024, 1024}};
  const std::vector<std::string> kept = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"};
  process.capabilities = spec::oci::Capabilities{kept, kept, {}, kept, {}};
  config.mounts = starter_mounts(rootless);
  auto& part = config.linux_.emplace();
  // runc leaves the cgroup namespace out on version 1, where it hides release_agent (CVE-2022-0492): here it
  // is in.
  std::vector<const char*> names = {"pid", "network", "ipc", "uts", "mount", "cgroup"};
  if (rootless) names.push_back("user");
  for (const char* name : names) part.namespaces.push_back({name, ""});
  part.masked_paths = spec::default_masked_paths();
  part.readonly_paths = spec::default_readonly_paths();
  if (rootless) {
    std::erase_if(part.namespaces, [](const auto& n) { return n.type == "network"; });
    part.uid_mappings = {{0, ::geteuid(), 1}};
    part.gid_mappings = {{0, ::getegid(), 1}};
  } else {
    part.resources.emplace().devices = {{false, "", std::nullopt, std::nullopt, "rwm"}};
  }
  return config;
}

}  // namespace

Result<int> spec(const Global&, const Flags& flags) {
  const auto directory = flags.get("bundle", ".");
  if (!sys::exists(directory)) return fail(Kind::NotFound, "chdir {}: no such file or directory", directory);
  const auto path = directory + "/config.json";
  if (sys::exists(path)) return Error(Kind::Conflict, "File config.json exists. Remove it first");
  TRY(sys::replace_file(
      path, json::to_pretty_text(json::to_value(starter_configuration(flags.has("rootless"))), "\t") + "\n",
      0644));
  return 0;
}

Result<int> features(const Global&, const Flags&) {
  TRY(print(json::to_pretty_text(runtime::features(), "    ") + "\n"));
  return 0;
}

}  // namespace skiff::oci
