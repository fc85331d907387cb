#include "build/ops/exec.h"

#include <poll.h>
#include <sys/utsname.h>

#include <algorithm>
#include <csignal>

#include "base/ids.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/undo.h"
#include "build/frontend/values.h"
#include "build/ops/frames.h"
#include "build/ops/rootfs.h"
#include "network/files.h"
#include "spec/defaults.h"
#include "sys/file.h"

namespace skiff::build {
namespace {

/// How long output may still come once the command has ended: its pipes are closed by then, so this is never
/// waited out.
constexpr std::chrono::seconds kDrain{2};
constexpr int kTickMilliseconds = 50;  ///< the caller's wish to cancel is a plain flag

void log_failure(const Result<void>& result, std::string_view what, const std::string& id) {
  if (!result.ok() && result.error().kind() != Kind::NotFound && result.error().kind() != Kind::Unavailable)
    log::warning("build step {}: {}: {}", short_id(id), what, result.error().message());
}

const spec::oci::Seccomp& seccomp_profile() {
  static const spec::oci::Seccomp kProfile = [] {
    utsname system = {};
    uname(&system);
    int major = 0;
    int minor = 0;
    sscanf(system.release, "%d.%d", &major, &minor);
    return spec::default_seccomp(spec::default_capabilities(), spec::Platform::host().architecture, major,
                                 minor);
  }();
  return kProfile;
}

spec::oci::Process process_of(const std::string& id, const ExecOperation& operation,
                              const spec::UserIdentity& user) {
  spec::oci::Process process;
  process.args = operation.command;
  process.cwd = operation.directory;
  process.user.uid = user.uid;
  process.user.gid = user.gid;
  process.user.additional_gids = user.additional_gids;
  process.env = {std::string(spec::kDefaultPath), fmt::format("HOSTNAME={}", short_id(id))};
  for (const auto* list : {&operation.environment, &operation.hidden_environment})
    for (const std::string& entry : *list) {
      const auto [name, value] = cut(entry, '=');
      set_variable(process.env, name, value.value_or(""));
    }
  if (!find_variable(process.env, "HOME")) process.env.push_back("HOME=" + user.home);
  spec::oci::Capabilities capabilities;
  capabilities.bounding = capabilities.effective = capabilities.permitted = spec::default_capabilities();
  process.capabilities = std::move(capabilities);
  process.rlimits = operation.limits.rlimits;
  process.oom_score_adj = 0;
  return process;
}

spec::oci::Resources resources_of(const Limits& limits) {
  spec::oci::Resources resources;
  resources.devices = spec::default_device_rules();
  if (limits.memory > 0) {
    spec::oci::Memory memory{.limit = limits.memory};
    if (limits.memory_swap != 0) memory.swap = limits.memory_swap;
    resources.memory = std::move(memory);
  }
  spec::oci::Cpu cpu;
  if (limits.cpu_shares > 0) cpu.shares = static_cast<std::uint64_t>(limits.cpu_shares);
  if (limits.cpu_period > 0) cpu.period = static_cast<std::uint64_t>(limits.cpu_period);
  if (limits.cpu_quota > 0) cpu.quota = limits.cpu_quota;
  cpu.cpus = limits.cpuset_cpus;
  cpu.mems = limits.cpuset_mems;
  resources.cpu = std::move(cpu);
  return resources;
}

}  // namespace

Result<void> Executor::open() {
  const std::string root = mount_points();
  for (const char* directory : {"/dev/pts", "/dev/shm", "/proc", "/sys", "/etc"})
    TRY(sys::make_directories(root + directory));
  for (const char* file : {"/.dockerenv", "/dev/console", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf"})
    if (!sys::exists(root + file)) TRY(sys::replace_file(root + file, "", 0755));
  TRY(sys::make_directories(state_root(), 0700));
  for (const std::string& id : TRY(sys::list_directory(state_root()))) {
    if (auto task = runner_.recover(id); task.ok()) {
      log_failure((*task)->kill(SIGKILL), "kill", id);
      log_failure((*task)->release(), "release", id);
    }
    if (const auto endpoints = networks_.endpoints(id); endpoints.ok())
      for (const network::Endpoint& endpoint : *endpoints)
        log_failure(networks_.release(id, endpoint.network), "release network", id);
    log_failure(sys::remove_tree(state_root() + "/" + id), "remove state", id);
  }
  return {};
}

std::vector<spec::Mount> Executor::with_mount_points(std::vector<spec::Mount> rootfs) const {
  // Places to mount on that the image lacks come from a layer of their own below the step's, so that they
  // never show in it.
  for (spec::Mount& mount : rootfs) {
    if (mount.type != "overlay") continue;
    const auto lowest =
        std::find_if(mount.options.begin(), mount.options.end(),
                     [](const std::string& option) { return option.starts_with("lowerdir"); });
    mount.options.insert(lowest, "lowerdir+=" + mount_points());
  }
  return rootfs;
}

Result<std::vector<network::Endpoint>> Executor::allocate(const std::string& id,
                                                          const ExecOperation& operation) {
  if (operation.network == "host") return std::vector<network::Endpoint>{};
  if (operation.network.starts_with("container:"))
    return fail(Kind::Unsupported, "network mode {} is not supported for builds", quote(operation.network));
  const bool usual = operation.network.empty() || operation.network == "default";
  network::EndpointRequest request;
  request.network = usual ? (config_.bridge == "none" ? "none" : "bridge") : operation.network;
  request.container = id;
  request.container_name = fmt::format("build-{}", short_id(id));
  request.hostname = short_id(id);
  std::vector<network::Endpoint> endpoints;
  endpoints.push_back(TRY(networks_.allocate(request)));
  return endpoints;
}

Result<void> Executor::write_files(const std::string& id, const ExecOperation& operation,
                                   const std::vector<network::Endpoint>& endpoints,
                                   const std::string& directory) {
  const std::string hostname(short_id(id));
  TRY(sys::make_directories(directory, 0700));
  TRY(sys::replace_file(directory + "/hostname", hostname + "\n"));
  TRY(sys::replace_file(
      directory + "/hosts",
      TRY(network::hosts_file(hostname, "", endpoints, operation.extra_hosts, networks_.host_gateway()))));
  // The embedded DNS serves containers, which a build step is not: it asks the servers behind it.
  return sys::replace_file(directory + "/resolv.conf", network::resolv_conf(config_, {}, false));
}

spec::oci::Runtime Executor::container_config(const std::string& id, const ExecOperation& operation,
                                              const spec::UserIdentity& user,
                                              const std::string& directory) const {
  spec::oci::Runtime config;
  config.process = process_of(id, operation, user);
  config.root = spec::oci::Root{};
  config.hostname = short_id(id);
  const Limits& limits = operation.limits;
  config.mounts = limits.shm_size > 0 ? spec::default_mounts(limits.shm_size) : spec::default_mounts();
  for (const char* name : {"resolv.conf", "hostname", "hosts"})
    config.mounts.emplace_back(fmt::format("/etc/{}", name), "bind", fmt::format("{}/{}", directory, name),
                               std::vector<std::string>{"rbind", "rprivate", "rw"});
  spec::oci::Linux part;
  part.cgroups_path = spec::cgroups_path(config_, limits.cgroup_parent, id);
  for (const char* kind : {"mount", "uts", "pid", "ipc", "cgroup"}) part.namespaces.push_back({kind, ""});
  if (operation.network != "host") part.namespaces.push_back({"network", ""});
  part.devices = spec::default_devices();
  part.masked_paths = spec::default_masked_paths();
  part.readonly_paths = spec::default_readonly_paths();
  part.seccomp = seccomp_profile();
  part.resources = resources_of(limits);
  config.linux_ = std::move(part);
  return config;
}

Result<int> Executor::run(const std::string& id, const ExecOperation& operation,
                          const std::vector<spec::Mount>& rootfs, Sink& sink,
                          const Cancellation& cancellation) {
  // There is nothing to keep, whether the command succeeds or not. The steps run when all other locals are
  // gone, so they hold copies of what they need.
  UndoStack undo;
  const std::string directory = state_root() + "/" + id;
  undo.add([directory, id] { log_failure(sys::remove_tree(directory), "remove state", id); });
  TRY(spec::check_cgroup_parent(config_, operation.limits.cgroup_parent));
  const spec::UserIdentity user = TRY(find_user(rootfs, operation.user));
  const std::vector<network::Endpoint> endpoints = TRY(allocate(id, operation));
  undo.add([this, id, endpoints] {
    for (const network::Endpoint& endpoint : endpoints)
      log_failure(networks_.release(id, endpoint.network), "release network", id);
  });
  TRY(write_files(id, operation, endpoints, directory));

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  const sys::Fd output(ends[0]);
  runner::Attachment attachment;
  attachment.client = sys::Fd(ends[1]);
  runner::Bundle bundle;
  bundle.id = id;
  bundle.config = container_config(id, operation, user, directory);
  bundle.rootfs = with_mount_points(rootfs);
  bundle.state_directory = directory;
  bundle.log.driver = "none";
  bundle.ephemeral = true;
  bundle.systemd_cgroup = config_.systemd_cgroups;
  bundle.attachments.push_back(std::move(attachment));
  const auto exit = TRY(exits_.expect(id));
  undo.add([this, id] { exits_.forget(id); });

  const std::shared_ptr<runner::Task> task =
      TRY(runner_.create(id, [&]() -> Result<runner::Bundle> { return std::move(bundle); }));
  undo.add([id, exit, task] {
    if (!exit->exit()) log_failure(task->kill(SIGKILL), "kill", id);
    log_failure(task->release(), "release", id);
  });
  if (!endpoints.empty()) {
    const sys::Fd space = TRY(task->network_namespace());
    for (const network::Endpoint& endpoint : endpoints) TRY(networks_.plug(endpoint, space));
  }
  TRY(task->start());
  return wait(*task, *exit, output, sink, cancellation);
}

Result<int> Executor::wait(runner::Task& task, ExitSlot& exit, const sys::Fd& output, Sink& sink,
                           const Cancellation& cancellation) {
  FrameReader frames(sink);
  std::string buffer(64 << 10, '\0');
  bool open = true;
  bool killed = false;
  std::optional<std::chrono::steady_clock::time_point> ended;
  while (open || !ended) {
    if (cancellation.requested() && !killed) {
      TRY(task.kill(SIGKILL));
      killed = true;
    }
    pollfd waits[2] = {{open ? output.get() : -1, POLLIN, 0}, {ended ? -1 : exit.event().get(), POLLIN, 0}};
    if (poll(waits, 2, kTickMilliseconds) < 0 && errno != EINTR) return fail_errno("poll");
    if (waits[0].revents != 0) {
      const std::size_t got = TRY(sys::read_some(output, buffer.data(), buffer.size()));
      frames.feed(std::string_view(buffer).substr(0, got));
      open = got > 0;
    }
    if (!ended && exit.exit()) ended = std::chrono::steady_clock::now();
    if (ended && std::chrono::steady_clock::now() - *ended > kDrain) open = false;
  }
  if (killed) return Error(Kind::Cancelled, "build cancelled");
  const runner::Exit how = *exit.exit();
  if (!how.error.empty()) return Error(Kind::InvalidArgument, how.error);
  return how.code;
}

}  // namespace skiff::build
