#include "runtime/plan.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <bit>

#include "base/strings.h"
#include "runtime/device_nodes.h"
#include "runtime/mapped_source.h"
#include "runtime/mount_options.h"
#include "sys/file.h"
#include "sys/namespace.h"
#include "sys/path.h"
#include "sys/syscalls.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

namespace skiff::runtime {
namespace {

using spec::oci::Linux;

Result<void> plan_namespaces(const Linux& config, Plan& plan) {
  // Inside of one we might not have the right to join a cgroup namespace of the host's.
  const bool has_user_namespace = std::any_of(config.namespaces.begin(), config.namespaces.end(),
                                              [](const auto& entry) { return entry.type == "user"; });
  for (const auto& kind : sys::namespace_kinds()) {
    const auto found = std::find_if(config.namespaces.begin(), config.namespaces.end(),
                                    [&](const auto& entry) { return entry.type == kind.oci_name; });
    if (found == config.namespaces.end()) continue;
    if (!found->path.empty() && kind.flag == CLONE_NEWTIME) {
      plan.process.time_namespace = TRY(sys::open_namespace(found->path, kind.flag));
    } else if (!found->path.empty() && kind.flag == CLONE_NEWCGROUP && !has_user_namespace) {
      plan.process.cgroup_namespace = TRY(sys::open_namespace(found->path, kind.flag));
    } else if (!found->path.empty()) {
      plan.joined.push_back({TRY(sys::open_namespace(found->path, kind.flag)), kind.flag, found->type});
    } else if (kind.flag == CLONE_NEWCGROUP) {
      plan.new_cgroup_namespace = true;
    } else if (kind.flag == CLONE_NEWTIME) {
      plan.new_time_namespace = true;
      for (const auto& [clock, offset] : config.time_offsets)
        plan.time_offsets += fmt::format("{} {} {}\n", clock, offset.secs, offset.nanosecs);
    } else {
      plan.new_namespaces |= static_cast<unsigned long>(kind.flag);
    }
    if (kind.flag == CLONE_NEWNS) plan.new_mounts = found->path.empty();
    if (kind.flag == CLONE_NEWUSER) plan.process.user_namespace = true;
  }
  for (const auto& entry : config.namespaces)
    if (!sys::find_namespace(entry.type))
      return fail(Kind::InvalidArgument, "namespace {} does not exist", quote(entry.type));
  if (plan.new_namespaces & CLONE_NEWUSER) {
    // Without a mapping every id is itself, or for an ordinary user the one id that the kernel lets him map.
    const bool privileged = ::geteuid() == 0;
    constexpr std::string_view kEverything = "0 0 4294967295\n";
    const auto map = [&](const auto& mappings, unsigned id) {
      if (!mappings.empty()) return format_mappings(mappings);
      return privileged ? std::string(kEverything) : fmt::format("0 {} 1\n", id);
    };
    plan.uid_map = map(config.uid_mappings, ::geteuid());
    plan.gid_map = map(config.gid_mappings, ::getegid());
    plan.deny_setgroups = !privileged;
  }
  return {};
}

unsigned long propagation_flag(std::string_view name) {
  if (name == "shared" || name == "rshared") return MS_SHARED;
  if (name == "slave" || name == "rslave") return MS_SLAVE;
  if (name == "unbindable" || name == "runbindable") return MS_UNBINDABLE;
  if (name == "private" || name == "rprivate") return MS_PRIVATE;
  return 0;
}

Result<void> plan_root(const CreateOptions& options, Plan& plan) {
  const auto& config = options.config;
  for (const auto& mount : options.rootfs) {
    auto step = TRY(parse_mount(mount, options.bundle));
    if (mount.destination.empty()) step.destination = "/";
    plan.root.mounts.push_back(std::move(step));
  }
  if (config.root) {
    plan.root.readonly = config.root->readonly;
    if (plan.root.mounts.empty()) plan.root.bind_path = sys::join_path(options.bundle, config.root->path);
    if (!plan.root.bind_path.empty() && (plan.new_namespaces & CLONE_NEWUSER) != 0) {
      plan.root.tree =
          sys::Fd(sys::raw::open_tree(AT_FDCWD, plan.root.bind_path.c_str(), OPEN_TREE_CLONE | AT_RECURSIVE));
    }
  }
  if (plan.new_mounts && plan.root.mounts.empty() && plan.root.bind_path.empty())
    return Error(Kind::InvalidArgument, "the configuration names no root file system");
  const auto& propagation = config.linux_ ? config.linux_->rootfs_propagation : std::string();
  if (!propagation.empty() && propagation_flag(propagation) == 0)
    return fail(Kind::InvalidArgument, "rootfsPropagation={} is not supported", propagation);
  // As runc does: without a wish the host's later mounts are not seen, and ours never reach the host.
  const auto wished = propagation_flag(propagation);
  plan.root.propagation = MS_REC | (wished == MS_SHARED || wished == MS_SLAVE ? MS_SLAVE : MS_PRIVATE);
  plan.root.final_propagation = wished == MS_PRIVATE ? 0 : wished;
  if (propagation.starts_with('r') && plan.root.final_propagation) plan.root.final_propagation |= MS_REC;
  return {};
}

/// Root of a user namespace may not be let through to the source: we open it, while we still may.
Result<void> open_source(MountStep& step, Plan& plan) {
  sys::Fd tree(sys::raw::open_tree(AT_FDCWD, step.source.c_str(),
                                   OPEN_TREE_CLONE | (step.recursive ? AT_RECURSIVE : 0)));
  if (!tree && (errno == EPERM || errno == EINVAL))
    return {};  // no right to clone mounts here: the child tries by name
  if (!tree) return fail_errno("bind mount {} to {}", step.source, step.destination);
  step.tree = tree.get();
  plan.trees.push_back(std::move(tree));
  return {};
}

/// "copy-symlink" (Podman's local time zone): a link is not followed, the container gets the same one.
void copy_symlink(MountStep& step) {
  char target[4096];
  const ssize_t size = ::readlink(step.source.c_str(), target, sizeof target);
  if (step.action != MountStep::Action::Bind || size <= 0) return;
  step.action = MountStep::Action::Link;
  step.source.assign(target, static_cast<std::size_t>(size));
}

constexpr const char* kSelinux = "/sys/fs/selinux/enforce";

/// File systems that are made for the container get its label; those of the kernel have labels of their own.
void label_mount(MountStep& step, const std::string& label) {
  constexpr std::string_view kOwnLabels[] = {"proc", "sysfs", "mqueue", "cgroup", "cgroup2"};
  if (label.empty() || !sys::exists(kSelinux) || step.action != MountStep::Action::Filesystem ||
      std::find(std::begin(kOwnLabels), std::end(kOwnLabels), step.type) != std::end(kOwnLabels))
    return;
  step.options.push_back({"context", label});
}

Result<void> plan_mounts(const CreateOptions& options, const Linux& part, const sys::Cgroup& cgroup,
                         Plan& plan) {
  for (const auto& mount : options.config.mounts) {
    auto step = TRY(parse_mount(mount, options.bundle));
    if ((!mount.uid_mappings.empty() || !mount.gid_mappings.empty()) && step.idmap == MountStep::IdMap::None)
      step.idmap = MountStep::IdMap::Mount;
    if (step.copy_symlink) copy_symlink(step);
    if (step.type == "cgroup" && step.action == MountStep::Action::Filesystem) {
      for (auto& view : expand_cgroup_mount(step, cgroup.layout(), cgroup.path(), plan.new_cgroup_namespace))
        plan.mounts.push_back(std::move(view));
      continue;
    }
    if (step.destination == "/dev" && step.action == MountStep::Action::Bind) plan.set_up_dev = false;
    if (step.idmap != MountStep::IdMap::None) {
      plan.trees.push_back(TRY(open_mapped_source(step, mount, part)));
      step.tree = plan.trees.back().get();
    } else if (step.action == MountStep::Action::Bind && (plan.new_namespaces & CLONE_NEWUSER) != 0) {
      TRY(open_source(step, plan));
    }
    label_mount(step, part.mount_label);
    plan.mounts.push_back(std::move(step));
  }
  return {};
}

Result<DeviceStep> device_step(const spec::oci::Device& device) {
  DeviceStep step;
  const auto path = sys::clean_path("/" + device.path);
  step.directory = sys::dir_name(path);
  step.name = sys::base_name(path);
  if (device.type == "c" || device.type == "u")
    step.mode = S_IFCHR;
  else if (device.type == "b")
    step.mode = S_IFBLK;
  else if (device.type == "p")
    step.mode = S_IFIFO;
  else
    return fail(Kind::InvalidArgument, "device {}: unknown type {}", path, quote(device.type));
  step.mode |= device.file_mode.value_or(0666) & 07777;
  step.device = makedev(static_cast<unsigned>(device.major), static_cast<unsigned>(device.minor));
  step.uid = device.uid.value_or(0);
  step.gid = device.gid.value_or(0);
  return step;
}

struct DefaultDevice {
  const char* name;
  unsigned major;
  unsigned minor;
};
constexpr DefaultDevice kDefaultDevices[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
                                             {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

/// The devices and links that config-linux.md promises to every container.
Result<void> plan_devices(const Linux& config, Plan& plan) {
  for (const auto& device : config.devices) plan.devices.push_back(TRY(device_step(device)));
  if (plan.new_mounts && (plan.new_namespaces & CLONE_NEWUSER) != 0)
    TRY(make_device_nodes(plan.devices, config));
  const auto wished = plan.devices.size();
  if (plan.set_up_dev) {
    for (const auto& device : kDefaultDevices) {
      const bool given =
          std::any_of(plan.devices.begin(), plan.devices.begin() + static_cast<std::ptrdiff_t>(wished),
                      [&](const auto& d) { return d.directory == "/dev" && d.name == device.name; });
      if (!given)
        plan.devices.push_back(
            {"/dev", device.name, S_IFCHR | 0666, makedev(device.major, device.minor), 0, 0, {}});
    }
    plan.links = {{"/dev", "fd", "/proc/self/fd"},
                  {"/dev", "stdin", "/proc/self/fd/0"},
                  {"/dev", "stdout", "/proc/self/fd/1"},
                  {"/dev", "stderr", "/proc/self/fd/2"},
                  {"/dev", "ptmx", "pts/ptmx"}};
    if (sys::exists("/proc/kcore")) plan.links.push_back({"/dev", "core", "/proc/kcore"});
  }
  return {};
}

/// A sysctl may only touch what belongs to a namespace of the container's own.
Result<void> plan_sysctl(const Linux& config, Plan& plan) {
  const auto own = [&](int flag) {
    return (plan.new_namespaces & static_cast<unsigned long>(flag)) != 0 ||
           std::any_of(plan.joined.begin(), plan.joined.end(), [&](const auto& j) { return j.flag == flag; });
  };
  constexpr std::string_view kIpc[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                       "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                       "kernel.shmmni", "kernel.shm_rmid_forced"};
  for (const auto& [key, value] : config.sysctl) {
    // "net/ipv4/conf/eth0.1/x" and "net.ipv4.conf.eth0/1.x" are both customary: the first separator decides
    // (sysctl.d(5)).
    std::string dotted = key;
    const bool slashes = key.find_first_of("./") != std::string::npos && key[key.find_first_of("./")] == '/';
    std::string path = key;
    for (std::size_t i = 0; i < key.size(); ++i) {
      if (key[i] != '.' && key[i] != '/') continue;
      const bool separator = (key[i] == '/') == slashes;
      path[i] = separator ? '/' : (slashes ? key[i] : '.');
      dotted[i] = separator ? '.' : '/';
    }
    const bool ipc = std::find(std::begin(kIpc), std::end(kIpc), dotted) != std::end(kIpc) ||
                     dotted.starts_with("fs.mqueue.");
    if (ipc && !own(CLONE_NEWIPC))
      return fail(Kind::InvalidArgument, "sysctl {} is not allowed in the hosts ipc namespace", quote(key));
    if (dotted.starts_with("net.") && !own(CLONE_NEWNET))
      return fail(Kind::InvalidArgument, "sysctl {} is not allowed in the hosts network namespace",
                  quote(key));
    const bool uts = dotted == "kernel.domainname";
    if (dotted == "kernel.hostname")
      return Error(Kind::InvalidArgument,
                   "sysctl \"kernel.hostname\" conflicts with the OCI \"hostname\" field");
    if (uts && !own(CLONE_NEWUTS))
      return fail(Kind::InvalidArgument, "sysctl {} is not allowed in the hosts uts namespace", quote(key));
    if (!ipc && !uts && !dotted.starts_with("net."))
      return fail(Kind::InvalidArgument, "sysctl {} is not in a separate kernel namespace", quote(key));
    plan.sysctl.emplace_back("sys/" + path, value);
  }
  return {};
}

std::vector<HookStep> hook_steps(const std::vector<spec::oci::Hook>& hooks, std::string_view name) {
  std::vector<HookStep> steps;
  for (const auto& hook : hooks) {
    auto arguments = hook.args;
    if (arguments.empty()) arguments.push_back(hook.path);
    steps.push_back({fmt::format("{} hook #{}", name, steps.size()), hook.path,
                     CStrings(std::move(arguments)), CStrings(hook.env), hook.timeout});
  }
  return steps;
}

Result<void> plan_personality(const spec::oci::Personality& personality, Plan& plan) {
  // None of the flags is in use by anyone; a program does not run worse without.
  if (!personality.flags.empty())
    plan.warnings.push_back(
        fmt::format("linux.personality.flags: {} are ignored", join(personality.flags, ", ")));
  if (personality.domain == "LINUX")
    plan.process.personality = PER_LINUX;
  else if (personality.domain == "LINUX32")
    plan.process.personality = PER_LINUX32;
  else
    return fail(Kind::InvalidArgument, "unknown personality {}", quote(personality.domain));
  return {};
}

/// What only some machines have, and a configuration must not ask for in vain.
Result<void> check_machine(const Linux& part) {
  if (part.intel_rdt) {
    const auto& rdt = *part.intel_rdt;
    const bool asked = !rdt.clos_id.empty() || !rdt.schemata.empty() || !rdt.l3_cache_schema.empty() ||
                       !rdt.mem_bw_schema.empty() || rdt.enable_cmt || rdt.enable_mbm;
    if (asked)
      return fail(Kind::Unsupported, "linux.intelRdt is specified in the configuration, but {}",
                  sys::exists("/sys/fs/resctrl/schemata")
                      ? "this runtime does not place processes in resctrl groups"
                      : "Intel RDT is not enabled on this machine");
  }
  return {};
}

/// Without a mount namespace of its own the container only changes its root: whatever it mounted would stay
/// in somebody else's table.
Result<void> check_shared_mounts(const spec::oci::Runtime& config, Plan& plan) {
  if (plan.new_mounts) return {};
  if (!plan.masked.empty() || !plan.readonly.empty())
    return Error(Kind::InvalidArgument, "unable to restrict sys entries without a private MNT namespace");
  if (!config.mounts.empty())
    plan.warnings.emplace_back("mounts are left out: the container has no mount namespace of its own");
  return {};
}

}  // namespace

std::vector<std::string> device_paths(const Linux& config) {
  std::vector<std::string> paths;
  for (const auto& device : config.devices) paths.push_back(sys::clean_path("/" + device.path));
  for (const auto& device : kDefaultDevices) paths.push_back(std::string("/dev/") + device.name);
  std::sort(paths.begin(), paths.end());
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

Result<sys::Fd> open_procfs() {
  auto fd = TRY(sys::open_file("/proc", O_PATH | O_DIRECTORY));
  struct statfs info = {};
  struct stat status = {};
  if (::fstatfs(fd.get(), &info) != 0 || ::fstat(fd.get(), &status) != 0) return fail_errno("look at /proc");
  constexpr ino_t kProcRootInode = 1;
  if (info.f_type != PROC_SUPER_MAGIC || status.st_ino != kProcRootInode)
    return Error(Kind::Forbidden, "/proc is not a proc file system");
  return fd;
}

Result<Plan> make_plan(const CreateOptions& options, const sys::Cgroup& cgroup) {
  const auto& config = options.config;
  Plan plan;
  const Linux none;
  const Linux& part = config.linux_ ? *config.linux_ : none;
  if (!config.process) return Error(Kind::InvalidArgument, "process property must not be empty");
  plan.process = TRY(make_process_plan(*config.process));
  plan.process.streams = options.streams;
  plan.process.init = options.init;
  plan.process.preserve_fds = options.preserve_fds;
  plan.process.new_keyring = options.new_keyring;
  plan.root.no_pivot = options.no_pivot;
  plan.start_fd = options.start_fd;
  plan.report_fd = options.report_fd;
  plan.procfs = TRY(open_procfs());
  TRY(plan_namespaces(part, plan));
  limit_capabilities(plan.process);
  TRY(plan_root(options, plan));
  TRY(check_machine(part));
  if (plan.new_mounts) TRY(plan_mounts(options, part, cgroup, plan));
  TRY(plan_devices(part, plan));
  plan.process.keep_groups = keeps_groups(config);
  TRY(plan_sysctl(part, plan));
  for (const auto& path : part.masked_paths) plan.masked.push_back(sys::clean_path("/" + path));
  for (const auto& path : part.readonly_paths) plan.readonly.push_back(sys::clean_path("/" + path));
  plan.hostname = config.hostname;
  plan.domainname = config.domainname;
  const bool own_uts = (plan.new_namespaces & CLONE_NEWUTS) != 0 ||
                       std::any_of(plan.joined.begin(), plan.joined.end(),
                                   [](const auto& j) { return j.flag == CLONE_NEWUTS; });
  if ((!plan.hostname.empty() || !plan.domainname.empty()) && !own_uts)
    return Error(Kind::InvalidArgument, "unable to set hostname without a private UTS namespace");
  TRY(check_shared_mounts(config, plan));
  // Without SELinux files have no labels, so nothing is less protected; of a process's label that is not
  // true.
  if (!part.mount_label.empty() && !sys::exists(kSelinux))
    plan.warnings.emplace_back("linux.mountLabel is not used: SELinux is not enabled on this machine");
  if (part.personality) TRY(plan_personality(*part.personality, plan));
  if (config.hooks) {
    plan.runtime_hooks = !config.hooks->prestart.empty() || !config.hooks->create_runtime.empty() ||
                         !config.hooks->create_container.empty() || !config.hooks->start_container.empty();
    if (plan.runtime_hooks) {
      plan.hook_state = sys::Fd(::memfd_create("hook-state", MFD_CLOEXEC | MFD_ALLOW_SEALING));
      if (!plan.hook_state) return fail_errno("memfd_create");
    }
    plan.create_container = hook_steps(config.hooks->create_container, "createContainer");
    plan.start_container = hook_steps(config.hooks->start_container, "startContainer");
  }
  return plan;
}

}  // namespace skiff::runtime
