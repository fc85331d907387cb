#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/flags.h"
#include "cmd/oci/record.h"
#include "spec/defaults.h"
#include "sys/capabilities.h"
#include "sys/file.h"
#include "sys/namespace.h"

namespace skiff::oci {
namespace {

/// What runc prints: the state of the specification with its own additions.
struct Shown {
  std::string oci_version;
  std::string id;
  int pid = 0;
  std::string status;
  std::string bundle;
  std::string rootfs;
  Time created{};
  std::map<std::string, std::string> annotations;
  std::string owner;
};
void describe(json::Fields& f, Shown& shown) {
  f("ociVersion", shown.oci_version);
  f("id", shown.id);
  f("pid", shown.pid);
  f("status", shown.status);
  f("bundle", shown.bundle);
  f("rootfs", shown.rootfs);
  f("created", shown.created);
  f("annotations", shown.annotations, json::Omit::Empty);
  f("owner", shown.owner);
}

Shown shown(const Home& home, const Record& record) {
  const auto status = status_of(home, record);
  return {record.oci_version,
          record.id,
          status == Status::Stopped ? 0 : record.pid,
          std::string(to_string(status)),
          record.bundle,
          record.rootfs,
          record.created,
          record.annotations,
          record.owner};
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
  config.mounts = spec::default_mounts();
  auto& part = config.linux_.emplace();
  for (const char* name : {"pid", "network", "ipc", "uts", "mount", "cgroup"})
    part.namespaces.push_back({name, ""});
  part.masked_paths = spec::default_masked_paths();
  part.readonly_paths = spec::default_readonly_paths();
  if (rootless) {
    std::erase_if(part.namespaces, [](const auto& n) { return n.type == "network"; });
    part.namespaces.push_back({"user", ""});
    part.uid_mappings = {{0, ::geteuid(), 1}};
    part.gid_mappings = {{0, ::getegid(), 1}};
  } else {
    part.resources.emplace().devices = {{false, "", std::nullopt, std::nullopt, "rwm"}};
  }
  return config;
}

}  // namespace

Result<int> state(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, {}));
  if (flags.arguments().size() != 1)
    return Error(Kind::InvalidArgument, "exactly one argument is wanted: the container's id");
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  std::cout << json::to_pretty_text(json::to_value(shown(home, record)), "  ") << "\n";
  return 0;
}

Result<int> list(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, {{"format", 'f', true}, {"quiet", 'q'}}));
  std::vector<Shown> all;
  if (sys::exists(global.root)) {
    for (const auto& id : TRY(sys::list_directory(global.root))) {
      if (id.starts_with('.')) continue;
      const Home home(global.root, id);
      if (const auto record = home.load()) all.push_back(shown(home, *record));
    }
  }
  if (flags.has("quiet")) {
    for (const auto& one : all) std::cout << one.id << "\n";
  } else if (flags.get("format", "table") == "json") {
    json::Array array;
    for (const auto& one : all) array.push_back(json::to_value(one));
    std::cout << (all.empty() ? "null" : json::to_text(array)) << "\n";
  } else {
    std::size_t widths[3] = {12, 12, 12};
    for (const auto& one : all) {
      widths[0] = std::max(widths[0], one.id.size() + 3);
      widths[2] = std::max(widths[2], one.bundle.size() + 3);
    }
    std::cout << fmt::format("{:<{}}{:<12}{:<12}{:<{}}{:<33}{}\n", "ID", widths[0], "PID", "STATUS", "BUNDLE",
                             widths[2], "CREATED", "OWNER");
    for (const auto& one : all)
      std::cout << fmt::format("{:<{}}{:<12}{:<12}{:<{}}{:<33}{}\n", one.id, widths[0], one.pid, one.status,
                               one.bundle, widths[2], format_rfc3339(one.created), one.owner);
  }
  return 0;
}

Result<int> spec(const Global&, const Words& words) {
  const auto flags = TRY(Flags::parse(words, {{"bundle", 'b', true}, {"rootless"}}));
  const auto path = flags.get("bundle", ".") + "/config.json";
  if (sys::exists(path)) return Error(Kind::Conflict, "file config.json exists. Remove it first");
  TRY(sys::replace_file(
      path, json::to_pretty_text(json::to_value(starter_configuration(flags.has("rootless"))), "\t") + "\n",
      0644));
  return 0;
}

Result<int> features(const Global&, const Words&) {
  const auto strings = [](std::initializer_list<std::string_view> list) {
    json::Array array;
    for (const auto text : list) array.emplace_back(boost::json::string_view(text.data(), text.size()));
    return array;
  };
  json::Array capabilities;
  for (int i = 0; !sys::capability_name(i).empty(); ++i)
    capabilities.emplace_back(std::string(sys::capability_name(i)));
  json::Array namespaces;
  for (const auto& kind : sys::namespace_kinds())
    if (kind.oci_name != "time") namespaces.emplace_back(std::string(kind.oci_name));
  json::Object cgroup = {
      {"v1", true}, {"v2", true}, {"systemd", false}, {"systemdUser", false}, {"rdma", true}};
  json::Object seccomp = {
      {"enabled", true},
      {"actions", strings({"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
                           "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE",
                           "SCMP_ACT_TRAP"})},
      {"operators", strings({"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT",
                             "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"})},
      {"archs",
       strings({"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64"})},
      {"knownFlags", strings({"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                              "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"})},
      {"supportedFlags",
       strings({"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"})}};
  json::Object part = {{"namespaces", namespaces},
                       {"capabilities", capabilities},
                       {"cgroup", cgroup},
                       {"seccomp", seccomp},
                       {"apparmor", {{"enabled", true}}},
                       {"selinux", {{"enabled", true}}},
                       {"intelRdt", {{"enabled", false}}},
                       {"mountExtensions", {{"idmap", {{"enabled", false}}}}}};
  json::Object all = {
      {"ociVersionMin", "1.0.0"},
      {"ociVersionMax", std::string(spec::oci::kRuntimeSpecVersion)},
      {"hooks",
       strings({"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"})},
      {"mountOptions",
       strings({"async",       "atime",    "bind",    "defaults",    "dev",        "diratime", "dirsync",
                "exec",        "lazytime", "noatime", "nodev",       "nodiratime", "noexec",   "nosuid",
                "nosymfollow", "private",  "rbind",   "relatime",    "remount",    "ro",       "rprivate",
                "rro",         "rshared",  "rslave",  "runbindable", "rw",         "shared",   "slave",
                "strictatime", "suid",     "sync",    "unbindable"})},
      {"linux", part}};
  std::cout << json::to_pretty_text(all, "  ") << "\n";
  return 0;
}

}  // namespace skiff::oci
