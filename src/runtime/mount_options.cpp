#include "runtime/mount_options.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include <algorithm>

#include "base/strings.h"
#include "sys/path.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

namespace skiff::runtime {
namespace {

struct AttributeOption {
  std::string_view name;
  std::uint64_t set;
  std::uint64_t clear;
};

// The access-time settings are one field: each replaces the others (mount_setattr(2)).
constexpr AttributeOption kAttributes[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME},
    {"strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"norelatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME},
    {"nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
};

struct PropagationOption {
  std::string_view name;
  std::uint64_t flag;
  bool recursive;
};

constexpr PropagationOption kPropagations[] = {
    {"private", MS_PRIVATE, false},       {"rprivate", MS_PRIVATE, true},       {"slave", MS_SLAVE, false},
    {"rslave", MS_SLAVE, true},           {"shared", MS_SHARED, false},         {"rshared", MS_SHARED, true},
    {"unbindable", MS_UNBINDABLE, false}, {"runbindable", MS_UNBINDABLE, true},
};

/// Files below /proc that lxcfs and others replace.
constexpr std::string_view kReplaceableProcFiles[] = {"/proc/cpuinfo",
                                                      "/proc/diskstats",
                                                      "/proc/meminfo",
                                                      "/proc/stat",
                                                      "/proc/swaps",
                                                      "/proc/uptime",
                                                      "/proc/loadavg",
                                                      "/proc/slabinfo",
                                                      "/proc/sys/kernel/ns_last_pid",
                                                      "/proc/sys/crypto/fips_enabled"};

bool apply_attribute(MountStep& step, std::string_view option) {
  const bool recursive = option.size() > 1 && option[0] == 'r';
  for (const auto& known : kAttributes) {
    if (option == known.name) {
      step.set = (step.set & ~known.clear) | known.set;
      step.clear = (step.clear & ~known.set) | known.clear;
      return true;
    }
    if (recursive && option.substr(1) == known.name) {
      step.set_recursive = (step.set_recursive & ~known.clear) | known.set;
      step.clear_recursive = (step.clear_recursive & ~known.set) | known.clear;
      return true;
    }
  }
  return false;
}

bool apply_propagation(MountStep& step, std::string_view option) {
  for (const auto& known : kPropagations) {
    if (option != known.name) continue;
    (known.recursive ? step.propagation_recursive : step.propagation) = known.flag;
    return true;
  }
  return false;
}

bool has_bind(const std::vector<std::string>& options) {
  return std::any_of(options.begin(), options.end(),
                     [](const auto& o) { return o == "bind" || o == "rbind"; });
}

}  // namespace

Result<MountStep> parse_mount(const spec::Mount& mount, const std::string& base) {
  MountStep step;
  step.destination = sys::clean_path("/" + mount.destination);
  step.type = mount.type;
  step.source = mount.source;
  const bool bind = mount.type == "bind" || has_bind(mount.options);
  step.action = bind ? MountStep::Action::Bind : MountStep::Action::Filesystem;
  bool remount = false;
  for (const auto& option : mount.options) {
    if (option == "bind" || option == "defaults" || option == "async" || option == "loud" ||
        option == "nomand" || option == "iversion" || option == "noiversion" || option == "silent" ||
        option.empty())
      continue;
    if (option == "rbind") {
      step.recursive = true;
    } else if (option == "remount") {
      remount = true;
    } else if (option == "idmap" || option == "ridmap") {
      step.idmap = option == "idmap" ? MountStep::IdMap::Mount : MountStep::IdMap::Tree;
    } else if (option.starts_with("idmap=") || option.starts_with("ridmap=")) {
      return fail(Kind::Unsupported, "mount {}: option {}: mappings are given as uidMappings and gidMappings",
                  step.destination, quote(option));
    } else if (option == "tmpcopyup") {
      if (step.type != "tmpfs")
        return fail(Kind::InvalidArgument, "mount {}: tmpcopyup is only for tmpfs", step.destination);
      step.copy_up = true;
    } else if (option == "copy-symlink") {
      step.copy_symlink = true;
    } else if (apply_attribute(step, option) || apply_propagation(step, option)) {
      if (option == "ro" && !bind) step.superblock_readonly = true;
      if (option == "rw") step.superblock_readonly = false;
    } else {
      const auto [key, value] = cut(option, '=');
      step.options.push_back({std::string(key), value ? std::optional<std::string>(*value) : std::nullopt});
    }
  }
  if (bind) {
    if (step.source.empty())
      return fail(Kind::InvalidArgument, "mount {}: a bind mount needs a source", step.destination);
    if (step.source[0] != '/') step.source = sys::join_path(base, step.source);
    step.options.clear();
  }
  if (remount && bind) step.action = MountStep::Action::Remount;
  // tmpfs and proc live in memory that only this container sees: their superblock stays writable, so that the
  // runtime itself can fill them; the mount is what is read-only.
  if (step.type == "tmpfs" || step.type == "proc" || step.type == "sysfs" || step.type == "cgroup" ||
      step.type == "cgroup2" || step.type == "mqueue" || step.type == "devpts")
    step.superblock_readonly = false;
  step.over_proc = std::find(std::begin(kReplaceableProcFiles), std::end(kReplaceableProcFiles),
                             step.destination) != std::end(kReplaceableProcFiles);
  return step;
}

std::vector<MountStep> expand_cgroup_mount(const MountStep& mount, const sys::CgroupLayout& layout,
                                           const std::string& cgroup_path, bool own_namespace) {
  std::vector<MountStep> steps;
  const auto view = [&](const sys::CgroupHierarchy& hierarchy, const std::string& destination) {
    MountStep step = mount;
    step.destination = destination;
    step.options.clear();
    if (own_namespace) {
      step.action = MountStep::Action::Filesystem;
      step.type = hierarchy.unified ? "cgroup2" : "cgroup";
      step.source = "cgroup";
      if (!hierarchy.unified) {
        for (const auto& controller : hierarchy.controllers)
          step.options.push_back({controller, std::nullopt});
        if (hierarchy.controllers.empty()) step.options.push_back({"name", hierarchy.name});
      }
    } else {
      step.action = MountStep::Action::Bind;
      step.source = hierarchy.root + "/" + cgroup_path;
    }
    return step;
  };
  if (layout.pure_unified()) {
    steps.push_back(view(layout.hierarchies().front(), mount.destination));
    return steps;
  }
  MountStep top;
  top.destination = mount.destination;
  top.type = "tmpfs";
  top.source = "tmpfs";
  top.options = {{"mode", "755"}};
  top.set = mount.set & ~static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY);
  steps.push_back(top);
  for (const auto& hierarchy : layout.hierarchies()) {
    // The name a program expects is the controllers' list; each controller alone is a link to it.
    auto name = hierarchy.unified ? std::string("unified") : join(hierarchy.controllers, ",");
    if (name.empty()) name = hierarchy.name;
    auto step = view(hierarchy, mount.destination + "/" + name);
    step.optional = true;
    steps.push_back(std::move(step));
    if (hierarchy.unified || hierarchy.controllers.size() < 2) continue;
    for (const auto& controller : hierarchy.controllers) {
      MountStep link;
      link.action = MountStep::Action::Link;
      link.destination = mount.destination + "/" + controller;
      link.source = name;
      steps.push_back(std::move(link));
    }
  }
  if (mount.set & MOUNT_ATTR_RDONLY) {
    MountStep seal;
    seal.action = MountStep::Action::Remount;
    seal.destination = mount.destination;
    seal.set = MOUNT_ATTR_RDONLY;
    steps.push_back(std::move(seal));
  }
  return steps;
}

}  // namespace skiff::runtime
