#include <csignal>

#include "base/ids.h"
#include "base/log.h"
#include "base/strings.h"
#include "base/undo.h"
#include "engine/create_request.h"
#include "engine/events.h"
#include "engine/health.h"
#include "engine/lifecycle.h"
#include "engine/log_options.h"
#include "engine/mount_setup.h"
#include "engine/network_setup.h"
#include "engine/oci_config.h"
#include "engine/runtimes.h"
#include "engine/workers.h"
#include "network/files.h"
#include "snapshot/root_view.h"
#include "spec/users.h"
#include "sys/file.h"

/// The start of a container, step by step. Each step forward leaves its way back on an undo stack.
namespace skiff::engine {
namespace {

constexpr int kNotFound = 127;
constexpr int kNotExecutable = 126;
constexpr int kNotStarted = 128;
constexpr std::chrono::milliseconds kNextMonitor{100};
constexpr std::string_view kCreateFailed =
    "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create "
    "failed: "
    "unable to start container process: error during container init: ";

}  // namespace

int start_failure_code(const Error& error) {
  const std::string text = to_lower(error.message());
  const auto contains = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  // In this order, as in Docker: what an external runtime's log is missing for is no missing program.
  if (contains("permission denied") || contains("is a directory") || contains("not a directory"))
    return kNotExecutable;
  if (contains("executable file not found") || contains("no such file or directory")) return kNotFound;
  return kNotStarted;
}

namespace {

/// The sentence and kind of a failed start as Docker's: the command's own fault is the caller's mistake. With
/// an external runtime the sentence is whole already.
Error start_error(const Error& error, bool external) {
  const bool program = error.kind() == Kind::NotFound || error.kind() == Kind::Forbidden;
  return Error(program ? Kind::InvalidArgument : error.kind(),
               external ? error.message() : std::string(kCreateFailed) + error.message(), error.code());
}

struct NamespaceSources {
  std::map<std::string, std::string> joined;  ///< OCI type -> path
  std::string shm;
  std::string hosts_of;  ///< id of the container whose hosts and resolv.conf are used too
  std::string hostname;
};

Result<std::shared_ptr<Container>> running_other(ContainerSet& set, std::string_view name, const char* what) {
  auto other = TRY(set.find(name));
  if (other->state_now() == State::Restarting)
    return fail(Kind::Conflict, "container {} is restarting, wait until the container is running", other->id);
  if (!is_running(other->state_now()))
    return fail(Kind::Conflict, "cannot join {} namespace of a non running container: container {} is {}",
                what, short_id(other->id), to_string(other->state_now()));
  return other;
}

Result<NamespaceSources> namespace_sources(ContainerSet& set, const Definition& definition) {
  NamespaceSources sources;
  const auto join = [&](const std::string& mode, const char* type, const char* file) -> Result<void> {
    const std::string_view name = container_mode(mode);
    if (name.empty()) return {};
    const auto found = running_other(set, name, type);
    if (!found.ok() && found.error().kind() == Kind::NotFound && type == std::string_view("network"))
      return found.error().with_context("joining network namespace of container");
    const auto other = TRY(found);
    const RunState run = other->run_now();
    sources.joined[type] = fmt::format("/proc/{}/ns/{}", run.pid, file);
    if (type == std::string_view("ipc")) sources.shm = fmt::format("/proc/{}/root/dev/shm", run.pid);
    if (type == std::string_view("network")) {
      sources.hosts_of = other->id;
      sources.hostname = other->definition_now().config.hostname;
    }
    return {};
  };
  TRY(join(definition.host.network_mode, "network", "net"));
  TRY(join(definition.host.pid_mode, "pid", "pid"));
  TRY(join(definition.host.ipc_mode, "ipc", "ipc"));
  if (definition.host.ipc_mode == "host") sources.shm = "/dev/shm";
  return sources;
}

/// The default bridge's --link: lines of /etc/hosts, address and names.
Result<std::vector<std::pair<std::string, std::string>>> link_lines(Parts& parts, ContainerSet& set,
                                                                    const Definition& definition) {
  std::vector<std::pair<std::string, std::string>> lines;
  if (definition.host.network_mode != "bridge") return lines;
  for (const std::string& link : definition.host.links) {
    const auto [name, alias] = cut(link, ':');
    const auto other = set.find(name);
    if (!other.ok())
      return fail(Kind::InvalidArgument, "could not get container for {}: {}", name, other.error().message());
    const std::string other_name = (*other)->definition_now().name;
    for (const auto& endpoint : TRY(parts.networks.endpoints((*other)->id)))
      if (!endpoint.ipv4.empty())
        lines.emplace_back(endpoint.ipv4,
                           fmt::format("{} {} {}", alias.value_or(name), short_id((*other)->id), other_name));
  }
  return lines;
}

struct NetworkFiles {
  std::string hosts;
  std::string hostname;
  std::string resolv_conf;
};

Result<NetworkFiles> write_network_files(Parts& parts, ContainerSet& set, const Definition& definition,
                                         const NamespaceSources& sources,
                                         const std::vector<network::Endpoint>& endpoints) {
  const std::string own = container_directory(parts.config, definition.id);
  const std::string shared =
      sources.hosts_of.empty() ? own : container_directory(parts.config, sources.hosts_of);
  NetworkFiles files{shared + "/hosts", shared + "/hostname", shared + "/resolv.conf"};
  if (!sources.hosts_of.empty()) return files;
  TRY(sys::replace_file(files.hostname, definition.config.hostname + "\n"));
  const bool on_host = definition.host.network_mode == "host";
  auto hosts = on_host && definition.host.extra_hosts.empty()
                   ? sys::read_file("/etc/hosts", 1 << 20)
                   : Result<std::string>(Error(Kind::NotFound, ""));
  if (!hosts.ok()) {
    hosts = network::hosts_file(definition.config.hostname, definition.config.domainname, endpoints,
                                definition.host.extra_hosts, parts.networks.host_gateway(),
                                TRY(link_lines(parts, set, definition)));
  }
  TRY(sys::replace_file(files.hosts, TRY(std::move(hosts))));
  const auto has_dns = [&](const network::Endpoint& e) { return parts.networks.has_dns(e.network); };
  const bool user_defined = std::any_of(endpoints.begin(), endpoints.end(), has_dns);
  const network::DnsOptions wanted{definition.host.dns, definition.host.dns_search,
                                   definition.host.dns_options};
  const bool as_host = on_host && wanted.servers.empty() && wanted.search.empty() && wanted.options.empty();
  TRY(sys::replace_file(files.resolv_conf, as_host
                                               ? network::host_resolv_conf()
                                               : network::resolv_conf(parts.config, wanted, user_defined)));
  return files;
}

Result<spec::UserIdentity> identity_of(const std::vector<spec::Mount>& rootfs, const Definition& definition) {
  const snapshot::RootView view = TRY(snapshot::RootView::open(rootfs));
  const std::string& directory = definition.config.working_dir;
  if (!directory.empty() && view.exists(directory) && !view.is_directory(directory))
    return fail(Kind::InvalidArgument, "Cannot mkdir: {} is not a directory", directory);
  const auto passwd = TRY(view.read("/etc/passwd", spec::kUserFileLimit));
  const auto group = TRY(view.read("/etc/group", spec::kUserFileLimit));
  return spec::resolve_user(definition.config.user, definition.host.group_add, passwd.value_or(""),
                            group.value_or(""));
}

bool has_interface(const network::Endpoint& endpoint) { return !endpoint.interface.empty(); }

Result<runner::Bundle> make_bundle(Parts& parts, ContainerSet& set, const Definition& definition,
                                   const std::vector<network::Endpoint>& endpoints) {
  runner::Bundle bundle;
  bundle.id = definition.id;
  bundle.rootfs = TRY(root_mounts(parts, definition));
  const NamespaceSources sources = TRY(namespace_sources(set, definition));
  const NetworkFiles files = TRY(write_network_files(parts, set, definition, sources, endpoints));
  BundleInputs inputs{
      definition, host_facts(),
      spec::cgroups_path(parts.config, definition.host.resources.cgroup_parent, definition.id),
      TRY(identity_of(bundle.rootfs, definition)), sources.joined};
  if (definition.host.uts_mode != "host")
    inputs.hostname = sources.hostname.empty() ? definition.config.hostname : sources.hostname;
  inputs.resolv_conf = files.resolv_conf;
  inputs.hostname_file = files.hostname;
  inputs.hosts_file = files.hosts;
  inputs.shared_shm = sources.shm;
  inputs.mounts = TRY(prepare_mounts(parts, definition.mounts));
  bundle.config = TRY(make_oci_config(inputs));
  bundle.seccomp = TRY(make_seccomp_profile(inputs));
  bundle.state_directory = container_directory(parts.config, definition.id);
  bundle.log = TRY_CONTEXT(log_settings(parts.config, definition),
                           "failed to create task for container: failed to initialize logging driver");
  bundle.open_stdin = definition.config.open_stdin;
  bundle.stdin_once = definition.config.stdin_once;
  bundle.init = definition.host.init.value_or(false);
  bundle.start = std::none_of(endpoints.begin(), endpoints.end(), has_interface);
  bundle.ephemeral = definition.host.auto_remove;
  bundle.runtime = TRY(find_runtime(parts.config, definition.host.runtime));
  bundle.systemd_cgroup = parts.config.systemd_cgroups;
  return bundle;
}

}  // namespace

std::string snapshot_key(const std::string& container) { return "container-" + container; }

Result<void> Lifecycle::launch(Container& container) {
  std::vector<runner::Attachment> attachments;
  {
    const MutexLock lock(container.mutex);
    attachments = std::move(container.pending);
    container.pending.clear();
  }
  const Definition definition = container.definition_now();
  const bool external = is_external_runtime(parts_.config, definition.host.runtime);
  const auto failed = [&](const Error& cause, bool told_by_runtime) -> Error {
    const Error error = told_by_runtime ? start_error(cause, external) : cause;
    {
      const MutexLock lock(container.mutex);
      container.run.exit_code = start_failure_code(cause);
      container.run.error = error.message();
      container.changed.notify_all();
    }
    set_.store_state(container);
    return error;
  };

  UndoStack undo;
  auto endpoints = allocate_endpoints(parts_, definition);
  if (!endpoints.ok()) return failed(endpoints.error(), false);
  undo.add([this, id = container.id] {
    if (auto released = disconnect_networks(parts_, id); !released.ok())
      log::warning("release of the addresses of container {}: {}", id, released.error().message());
  });

  bool runs_at_once = false;
  bool handed_over = false;
  Time begin = now();
  auto task = parts_.runner->create(definition.id, [&]() -> Result<runner::Bundle> {
    auto bundle = TRY(make_bundle(parts_, set_, definition, *endpoints));
    bundle.attachments = std::move(attachments);
    runs_at_once = bundle.start;
    handed_over = true;
    begin = now();
    return bundle;
  });
  if (!task.ok()) return failed(task.error(), handed_over);
  undo.add([task = *task] {
    (void)task->kill(SIGKILL);  // it may have ended by itself
    (void)task->release();
  });

  auto ports = connect_networks(parts_, definition, **task, *endpoints, undo);
  if (!ports.ok()) return failed(ports.error(), false);
  if (!runs_at_once) {
    begin = now();
    if (auto started = (*task)->start(); !started.ok()) return failed(started.error(), true);
  }
  undo.dismiss();

  {
    const MutexLock lock(container.mutex);
    RunState& run = container.run;
    run.state = State::Running;
    run.intent = Intent::Run;
    run.pid = (*task)->pid();
    run.exit_code = 0;
    run.oom_killed = false;
    run.error.clear();
    run.started_at = begin;
    run.finished_at = Time{};
    run.ports = std::move(ports).value();
    container.running_since = begin;
    container.task = std::move(task).value();
    container.changed.notify_all();
  }
  health_.started(container);
  set_.store_state(container);
  for (const auto& endpoint : *endpoints) {
    events_.publish("network", "connect", endpoint.network,
                    {{"container", container.id}, {"name", endpoint.network_name}, {"type", "bridge"}});
  }
  publish(container, "start");
  // The processors have this one's program to run first.
  parts_.workers.post_after(kNextMonitor, [this] { parts_.runner->prepare_next(); });
  return {};
}

}  // namespace skiff::engine
