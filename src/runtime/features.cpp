#include "runtime/features.h"

#include <algorithm>

#include "spec/oci_runtime.h"
#include "spec/program_version.h"
#include "sys/capabilities.h"
#include "sys/namespace.h"

namespace skiff::runtime {
namespace {

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
      {"v1", true}, {"v2", true}, {"systemd", true}, {"systemdUser", true}, {"rdma", true}};
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

json::Object features() {
  return {{"ociVersionMin", "1.0.0"},
          {"ociVersionMax", std::string(spec::oci::kRuntimeSpecVersion)},
          {"hooks", strings({"prestart", "createRuntime", "createContainer", "startContainer", "poststart",
                             "poststop"})},
          {"mountOptions", mount_options()},
          {"linux", linux_features()},
          {"annotations",
           {{"org.opencontainers.runc.checkpoint.enabled", "true"},
            {"dev.skiff.version", std::string(spec::program_version())},
            {"dev.skiff.commit", std::string(spec::program_commit())}}},
          {"potentiallyUnsafeConfigAnnotations",
           strings({"org.criu.config", "org.systemd.property.", "run.oci.keep_original_groups"})}};
}

}  // namespace skiff::runtime
