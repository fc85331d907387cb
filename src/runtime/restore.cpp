#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/strings.h"
#include "base/undo.h"
#include "runtime/cgroup.h"
#include "runtime/checkpoint.h"
#include "runtime/checkpoint_image.h"
#include "runtime/container.h"
#include "runtime/criu.h"
#include "runtime/external_mounts.h"
#include "runtime/hooks.h"
#include "sys/file.h"
#include "sys/namespace.h"

namespace skiff::runtime {
namespace {

/// Namespaces that the configuration joins: criu is given network and pid namespaces open, and the paths of
/// others.
Result<std::vector<sys::Fd>> join_namespaces(const spec::oci::Runtime& config, criu::Options& options) {
  std::vector<sys::Fd> kept;
  for (const auto& kind : kExternalNamespaces) {
    const auto path = namespace_path(config, kind.type);
    if (path.empty()) continue;
    auto fd = sys::open_file(path, O_RDONLY);
    if (!fd) return fail(Kind::NotFound, "Requested {} namespace {} does not exist", kind.type, path);
    options.inherited.push_back({kind.key, Criu::kFirstKept + static_cast<int>(kept.size())});
    kept.push_back(*std::move(fd));
  }
  for (const auto& kind : sys::namespace_kinds()) {
    const auto path = namespace_path(config, kind.oci_name);
    if (path.empty() || kind.flag == CLONE_NEWNET || kind.flag == CLONE_NEWPID) continue;
    if (kind.flag == CLONE_NEWCGROUP)
      return fail(Kind::Unsupported, "criu cannot restore into the cgroup namespace {}", path);
    options.joined.push_back({kind.proc_name, path});
  }
  return kept;
}

/// Streams that were pipes are the caller's now; anything else the image brings along.
void inherit_streams(const std::vector<std::string>& descriptors, criu::Options& options) {
  for (std::size_t i = 0; i < descriptors.size() && i < 3; ++i)
    if (descriptors[i].find("pipe:") != std::string::npos)
      options.inherited.push_back({descriptors[i], static_cast<int>(i)});
}

/// The cgroups of `pid` by controller, which replace those of the image.
Result<std::vector<criu::CgroupRoot>> cgroup_roots(pid_t pid) {
  std::vector<criu::CgroupRoot> roots;
  for (const auto& line : split(TRY(sys::read_file(fmt::format("/proc/{}/cgroup", pid))), '\n')) {
    const auto [number, rest] = cut(line, ':');
    if (!rest) continue;
    const auto [controllers, path] = cut(*rest, ':');
    if (!path) continue;
    for (const auto& controller : split(controllers, ',')) roots.push_back({controller, std::string(*path)});
  }
  return roots;
}

/// Kills and reaps what criu has left in the cgroup: the restored processes are our children.
void end_processes(const sys::Cgroup& cgroup) {
  const auto left = cgroup.processes();
  if (left && !left->empty()) (void)cgroup.signal_all(SIGKILL);
  while (::waitpid(-1, nullptr, __WALL | WNOHANG) > 0) {
  }
}

Result<void> run_runtime_hooks(const RestoreOptions& options, int pid) {
  if (!options.config.hooks) return {};
  spec::oci::State state;
  state.id = options.id;
  // As at the start: prestart belongs to what comes after "created".
  state.status = "created";
  state.pid = pid;
  state.bundle = options.bundle;
  state.annotations = options.config.annotations;
  TRY(run_hooks(options.config.hooks->prestart, "prestart", state));
  state.status = "creating";
  return run_hooks(options.config.hooks->create_runtime, "createRuntime", state);
}

/// A network namespace comes back as the kernel makes it: its loopback is up again before anybody runs in it,
/// as after the start of a container.
Result<void> raise_loopback(const spec::oci::Runtime& config, pid_t pid) {
  if (!has_own_namespace(config, "network")) return {};
  const auto ours = TRY(sys::open_namespace("/proc/self/ns/net", CLONE_NEWNET));
  const auto theirs = TRY(sys::open_namespace(fmt::format("/proc/{}/ns/net", pid), CLONE_NEWNET));
  if (::setns(theirs.get(), CLONE_NEWNET) != 0) return fail_errno("enter the network namespace of {}", pid);
  const sys::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request = {};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name);
  request.ifr_flags = IFF_UP;
  Result<void> raised;
  if (!socket || ::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    raised = fail_errno("bring the loopback up");
  if (::setns(ours.get(), CLONE_NEWNET) != 0) return fail_errno("return to our network namespace");
  return raised;
}

Result<void> attend(const RestoreOptions& options, Criu::Notification& notification, Restored& restored) {
  if (notification.script == "setup-namespaces") return run_runtime_hooks(options, notification.pid);
  if (notification.script == "orphan-pts-master" && !notification.fds.empty())
    restored.console = std::move(notification.fds.front());
  if (notification.script == "post-restore") {
    TRY(raise_loopback(options.config, notification.pid));
    restored.process = TRY(sys::Process::open(notification.pid));
    return options.restored(restored.process);
  }
  return {};
}

/// criu puts the old root on /tmp of the new one, or on a directory that it makes, which a read-only root
/// does not allow: it has a /tmp for so long.
Result<void> lend_tmp(const RestoreOptions& options, UndoStack& undo) {
  const auto path = options.rootfs + "/tmp";
  struct stat info = {};
  if (!options.config.root || !options.config.root->readonly || ::lstat(path.c_str(), &info) == 0) return {};
  if (::mkdir(path.c_str(), 0700) != 0) return fail_errno("mkdir {}", path);
  undo.add([path] { ::rmdir(path.c_str()); });
  return {};
}

Result<Restored> perform(const RestoreOptions& options, Criu& criu, const criu::Options& wishes) {
  Restored restored;
  TRY(criu.perform(criu::Type::Restore, wishes, [&](Criu::Notification& notification) {
    return attend(options, notification, restored);
  }));
  const int status = TRY(criu.finish());
  if (status != 0) return fail(Kind::Internal, "criu failed: wait status {:#x}", status);
  if (!restored.process.valid()) return Error(Kind::Internal, "criu failed: it did not say what it restored");
  return restored;
}

/// What criu makes is born where criu is. The first process of systemd's unit is criu, and those it leaves
/// keep the unit alive.
Result<void> enter_cgroup(const RestoreOptions& options, sys::Cgroup& cgroup, pid_t criu,
                          bool& unit_started) {
  const bool by_systemd = options.unit.has_value();
  const bool unified = cgroup.layout().pure_unified();
  const spec::oci::Resources none;
  const auto& part = options.config.linux_;
  const auto& resources = part && part->resources ? *part->resources : none;
  if (by_systemd) {
    TRY(start_unit(*options.unit, options.id, criu, resources, unified));
    unit_started = true;
  }
  TRY(cgroup.create());
  TRY(apply_resources(cgroup, resources));
  return by_systemd && unified ? success() : cgroup.add(criu);
}

}  // namespace

Result<Restored> restore(const RestoreOptions& options) {
  auto wishes = options.image.wishes;
  inherit_streams(TRY(load_descriptors(options.image)), wishes);
  const auto kept = TRY(join_namespaces(options.config, wishes));
  const auto root = TRY(sys::open_directory(options.rootfs));

  sys::Cgroup cgroup(TRY(sys::CgroupLayout::detect()), options.cgroup_path);
  const bool existed = cgroup.exists();
  Criu::Setting setting;
  setting.streams = {0, 1, 2};
  for (const auto& fd : kept) setting.keep.push_back(fd.get());
  // A root must be a mount point whose parent is not covered: this one is there for criu alone.
  setting.binds = {{options.rootfs, options.mount_point}};
  auto criu = TRY(Criu::start(setting));
  bool unit_started = false;
  UndoStack undo;  // behind all that its step refers to
  undo.add([&] {
    (void)criu.finish();
    end_processes(cgroup);
    if (unit_started) (void)stop_unit(options.unit->name);
    if (!existed) (void)cgroup.remove();
  });
  const auto directories = TRY(enter_image(options.image, options.config, criu, true, wishes));
  TRY(enter_cgroup(options, cgroup, criu.pid(), unit_started));

  TRY(make_mount_points(options.config, options.bundle, root));
  wishes.external = TRY(external_mounts_to_restore(options.config, options.bundle, cgroup, root));
  wishes.cgroup_roots = TRY(cgroup_roots(criu.pid()));
  wishes.root = options.mount_point;
  wishes.evasive_devices = true;
  wishes.restore_as_sibling = true;
  UndoStack lent;
  TRY(lend_tmp(options, lent));
  auto restored = perform(options, criu, wishes);
  if (!restored) return with_log(std::move(restored).error(), options.image, true);
  undo.dismiss();
  return restored;
}

}  // namespace skiff::runtime
