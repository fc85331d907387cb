#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "cmd/oci/commands.h"
#include "spec/defaults.h"
#include "spec/oci_runtime.h"
#include "spec/program_version.h"
#include "sys/capabilities.h"
#include "sys/file.h"
#include "sys/namespace.h"

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

json::Array strings(std::initializer_list<std::string_view> list) {
  json::Array array;
  for (const auto text : list) array.emplace_back(boost::json::string_view(text.data(), text.size()));
  return array;
}

json::Array mount_options() {
  return strings({"async",
                  "atime",
                  "bind",
                  "copy-symlink",
                  "defaults",
                  "dev",
                  "diratime",
                  "dirsync",
                  "exec",
                  "idmap",
                  "iversion",
                  "lazytime",
                  "loud",
                  "mand",
                  "noatime",
                  "nodev",
                  "nodiratime",
                  "noexec",
                  "noiversion",
                  "nolazytime",
                  "nomand",
                  "norelatime",
                  "nostrictatime",
                  "nosuid",
                  "nosymfollow",
                  "private",
                  "ratime",
                  "rbind",
                  "rdev",
                  "rdiratime",
                  "relatime",
                  "remount",
                  "rexec",
                  "ridmap",
                  "rnoatime",
                  "rnodev",
                  "rnodiratime",
                  "rnoexec",
                  "rnorelatime",
                  "rnostrictatime",
                  "rnosuid",
                  "rnosymfollow",
                  "ro",
                  "rprivate",
                  "rrelatime",
                  "rro",
                  "rrw",
                  "rshared",
                  "rslave",
                  "rstrictatime",
                  "rsuid",
                  "rsymfollow",
                  "runbindable",
                  "rw",
                  "shared",
                  "silent",
                  "slave",
                  "strictatime",
                  "suid",
                  "symfollow",
                  "sync",
                  "tmpcopyup",
                  "unbindable"});
}

json::Object seccomp_features() {
  return {
      {"enabled", true},
      {"actions", strings({"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
                           "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE",
                           "SCMP_ACT_TRAP"})},
      {"operators", strings({"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
                             "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"})},
      {"archs",
       strings({"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"})},
      {"knownFlags", strings({"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                              "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"})},
      {"supportedFlags",
       strings({"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"})}};
}

json::Object linux_features() {
  json::Array capabilities;
  for (int i = 0; !sys::capability_name(i).empty(); ++i)
    capabilities.emplace_back(std::string(sys::capability_name(i)));
  std::vector<std::string> namespaces;
  for (const auto& kind : sys::namespace_kinds()) namespaces.emplace_back(kind.oci_name);
  std::sort(namespaces.begin(), namespaces.end());
  json::Object cgroup = {
      {"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", true}};
  return {{"namespaces", json::Array(namespaces.begin(), namespaces.end())},
          {"capabilities", std::move(capabilities)},
          {"cgroup", std::move(cgroup)},
          {"seccomp", seccomp_features()},
          {"apparmor", {{"enabled", true}}},
          {"selinux", {{"enabled", true}}},
          {"intelRdt", {{"enabled", false}}},
          {"mountExtensions", {{"idmap", {{"enabled", true}}}}}};
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
  json::Object all = {{"ociVersionMin", "1.0.0"},
                      {"ociVersionMax", std::string(spec::oci::kRuntimeSpecVersion)},
                      {"hooks", strings({"prestart", "createRuntime", "createContainer", "startContainer",
                                         "poststart", "poststop"})},
                      {"mountOptions", mount_options()},
                      {"linux", linux_features()},
                      {"annotations",
                       {{"org.opencontainers.runc.checkpoint.enabled", "true"},
                        {"dev.skiff.version", std::string(spec::program_version())},
                        {"dev.skiff.commit", std::string(spec::program_commit())}}},
                      {"potentiallyUnsafeConfigAnnotations", strings({"run.oci.keep_original_groups"})}};
  std::cout << json::to_pretty_text(all, "    ") << "\n";
  return 0;
}

}  // namespace skiff::oci
