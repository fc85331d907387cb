#include "engine/containers.h"

#include <set>

#include "base/ids.h"
#include "base/strings.h"
#include "engine/container_views.h"
#include "engine/create_request.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/lifecycle.h"
#include "engine/log_options.h"
#include "engine/oci_config.h"
#include "sys/file.h"
#include "sys/spawn.h"

namespace skiff::engine {
namespace {

/// Bytes in the container's own layer.
std::int64_t layer_size(Parts& parts, const std::string& id) {
  const auto directory = parts.images.snapshots().layer_directory(snapshot_key(id));
  if (!directory.ok()) return 0;
  return static_cast<std::int64_t>(sys::disk_usage(*directory).value_or(0));
}

/// The overlay directories as Docker names them.
spec::docker::GraphDriver graph_driver(Parts& parts, const std::string& id) {
  spec::docker::GraphDriver driver;
  driver.name = "overlay2";
  driver.data["ID"] = id;
  const auto mounts = parts.images.snapshots().mounts(snapshot_key(id));
  if (!mounts.ok()) return driver;
  std::vector<std::string> lower;
  for (const spec::Mount& mount : *mounts) {
    for (const std::string& option : mount.options) {
      const auto [name, value] = cut(option, '=');
      if (!value) continue;
      if (name == "upperdir") driver.data["UpperDir"] = *value;
      if (name == "workdir") driver.data["WorkDir"] = *value;
      if (name == "lowerdir+" || name == "lowerdir") lower.emplace_back(*value);
    }
  }
  driver.data["LowerDir"] = join(lower, ":");
  driver.data["MergedDir"] = "";
  return driver;
}

bool any_exact(const Filters& filters, std::string_view name, const std::vector<std::string>& present) {
  if (!filters.has(name)) return true;
  for (const std::string& value : present)
    if (filters.exact(name, value)) return true;
  return false;
}

bool port_filter(const Filters& filters, std::string_view name, const std::vector<std::string>& present) {
  if (!filters.has(name)) return true;
  for (const std::string& wanted : filters.values(name)) {
    const auto range = parse_port(wanted);
    if (!range.ok()) continue;
    for (int port = range->first; port <= range->last; ++port)
      if (std::find(present.begin(), present.end(), fmt::format("{}/{}", port, range->protocol)) !=
          present.end())
        return true;
  }
  return false;
}

Result<void> check_list_filters(const Filters& filters) {
  TRY(filters.check({"ancestor", "before", "exited", "expose", "health", "id", "isolation", "is-task",
                     "label", "label!", "name", "network", "publish", "since", "status", "volume"}));
  for (const std::string& status : filters.values("status"))
    if (!parse_state(status))
      return fail(
          Kind::InvalidArgument,
          "invalid filter 'status={0}': invalid value for state ({0}): must be one of created, running, "
          "paused, restarting, removing, exited, dead",
          status);
  TRY(filters.boolean("is-task", false));
  for (const std::string& code : filters.values("exited"))
    if (!parse_int(code))
      return fail(Kind::InvalidArgument,
                  "invalid filter 'exited={0}': strconv.Atoi: parsing \"{0}\": invalid syntax", code);
  for (const char* name : {"publish", "expose"})
    for (const std::string& port : filters.values(name))
      if (const auto number = cut(cut(port, '/').first, '-').first; !parse_uint(number))
        return fail(Kind::InvalidArgument,
                    "error while looking up for {} {}: strconv.ParseUint: parsing {}: invalid syntax", name,
                    port, quote(number));
  for (const std::string& health : filters.values("health"))
    if (health != "none" && health != "starting" && health != "healthy" && health != "unhealthy")
      return fail(
          Kind::InvalidArgument,
          "invalid filter 'health={0}': invalid value for health ({0}): must be one of none, starting, "
          "healthy, unhealthy",
          health);
  return {};
}

std::vector<std::string> fields_of(std::string_view line, std::size_t most) {
  std::vector<std::string> fields;
  while (!(line = trim(line)).empty()) {
    const std::size_t end = fields.size() + 1 == most ? std::string_view::npos : line.find_first_of(" \t");
    fields.emplace_back(line.substr(0, end));
    line = end == std::string_view::npos ? std::string_view() : line.substr(end);
  }
  return fields;
}

Result<spec::docker::TopResponse> parse_ps(const std::string& output, const std::set<pid_t>& wanted) {
  spec::docker::TopResponse answer;
  const std::vector<std::string> lines = split(output, '\n');
  answer.titles = fields_of(lines[0], SIZE_MAX);
  const auto title = std::find(answer.titles.begin(), answer.titles.end(), "PID");
  if (title == answer.titles.end())
    return Error(Kind::InvalidArgument, "Couldn't find PID field in ps output");
  const auto column = static_cast<std::size_t>(title - answer.titles.begin());
  for (std::size_t i = 1; i < lines.size(); ++i) {
    auto fields = fields_of(lines[i], answer.titles.size());
    if (fields.size() <= column) continue;
    const auto pid = parse_int(fields[column]);
    if (pid && wanted.contains(static_cast<pid_t>(*pid))) answer.processes.push_back(std::move(fields));
  }
  return answer;
}

void apply_update(spec::docker::Resources& to, const spec::docker::Resources& from) {
  const auto take = [](auto& target, const auto& value) {
    if (value != std::decay_t<decltype(value)>{}) target = value;
  };
  take(to.cpu_shares, from.cpu_shares);
  take(to.memory, from.memory);
  take(to.nano_cpus, from.nano_cpus);
  take(to.blkio_weight, from.blkio_weight);
  take(to.cpu_period, from.cpu_period);
  take(to.cpu_quota, from.cpu_quota);
  take(to.cpu_realtime_period, from.cpu_realtime_period);
  take(to.cpu_realtime_runtime, from.cpu_realtime_runtime);
  take(to.cpuset_cpus, from.cpuset_cpus);
  take(to.cpuset_mems, from.cpuset_mems);
  take(to.memory_reservation, from.memory_reservation);
  take(to.memory_swap, from.memory_swap);
  take(to.pids_limit, from.pids_limit);
}

}  // namespace

Result<bool> Containers::matches(Container& container, const Definition& definition, const RunState& run,
                                 const Filters& filters) {
  if (!filters.prefix("id", container.id) || !filters.pattern("name", "/" + definition.name) ||
      !filters.exact("status", to_string(run.state)) || !filters.labels(definition.config.labels))
    return false;
  if (filters.has("exited") && (run.state != State::Exited || run.started_at == Time{} ||
                                !filters.exact("exited", std::to_string(run.exit_code))))
    return false;
  if (!filters.exact("health", run.health ? run.health->status : "none")) return false;
  if (filters.has("is-task") && TRY(filters.boolean("is-task", false))) return false;
  std::vector<std::string> volumes;
  for (const auto& mount : definition.mounts) {
    volumes.push_back(mount.point.destination);
    volumes.push_back(mount.point.name.empty() ? mount.point.source : mount.point.name);
  }
  if (!any_exact(filters, "volume", volumes)) return false;
  if (filters.has("network")) {
    bool any = false;
    for (const std::string& wanted : filters.values("network")) {
      const auto network = parts_.networks.inspect(wanted);
      any = any || definition.endpoints.contains(wanted) ||
            (network.ok() && definition.endpoints.contains(network->name));
    }
    if (!any) return false;
  }
  std::vector<std::string> published;
  std::vector<std::string> exposed;
  for (const auto& [port, bindings] : run.ports) published.push_back(port);
  for (const auto& [port, unused] : definition.config.exposed_ports) exposed.push_back(port);
  return port_filter(filters, "publish", published) && port_filter(filters, "expose", exposed);
}

Result<std::vector<spec::docker::ContainerSummary>> Containers::list(const ListOptions& options) {
  const Filters& filters = options.filters;
  TRY(check_list_filters(filters));
  const bool all = options.all || options.limit > 0 || filters.has("status") || filters.has("exited");
  std::set<std::string> ancestors;
  for (const std::string& name : filters.values("ancestor"))
    if (const auto image = parts_.images.resolve(name); image.ok()) ancestors.insert(image->id.to_string());
  std::optional<Time> before;
  std::optional<Time> since;
  for (const std::string& name : filters.values("before"))
    before = TRY(set_.find(name))->definition_now().created;
  for (const std::string& name : filters.values("since"))
    since = TRY(set_.find(name))->definition_now().created;

  std::map<std::string, std::string> names;  // image name -> id, asked once
  const auto shown_image = [&](const Definition& definition) {
    const std::string& name = definition.config.image;
    auto [known, fresh] = names.try_emplace(name);
    if (fresh)
      if (const auto image = parts_.images.resolve(name); image.ok()) known->second = image->id.to_string();
    return known->second == definition.image ? name : definition.image;
  };
  const Time at = now();
  std::vector<spec::docker::ContainerSummary> list;
  for (const auto& container : set_.all()) {
    if (options.limit > 0 && static_cast<int>(list.size()) >= options.limit) break;
    const Definition definition = container->definition_now();
    const RunState run = container->run_now();
    if (!all && !is_running(run.state) && run.state != State::Restarting) continue;
    if (filters.has("ancestor") && !ancestors.contains(definition.image)) continue;
    if ((before && definition.created >= *before) || (since && definition.created <= *since)) continue;
    if (!TRY(matches(*container, definition, run, filters))) continue;
    spec::docker::ContainerSummary summary;
    summary.id = container->id;
    summary.names = {"/" + definition.name};
    summary.image = shown_image(definition);
    summary.image_id = definition.image;
    summary.command = command_text(definition);
    summary.created =
        std::chrono::duration_cast<std::chrono::seconds>(definition.created.time_since_epoch()).count();
    summary.ports = port_list(definition, run);
    summary.labels = definition.config.labels;
    summary.state = to_string(run.state);
    summary.status = status_text(run, at);
    summary.host_config.network_mode = definition.host.network_mode;
    summary.host_config.annotations = definition.host.annotations;
    summary.network_settings.networks =
        shown_endpoints(definition, is_running(run.state) ? TRY(parts_.networks.endpoints(container->id))
                                                          : std::vector<network::Endpoint>());
    summary.mounts = shown_mounts(definition);
    if (options.size) {
      summary.size_rw = layer_size(parts_, container->id);
      const auto image = parts_.images.resolve(definition.image);
      summary.size_root_fs = summary.size_rw + (image.ok() ? static_cast<std::int64_t>(image->size) : 0);
    }
    list.push_back(std::move(summary));
  }
  return list;
}

Result<spec::docker::ContainerInspect> Containers::inspect(std::string_view name, bool size) {
  const auto container = TRY(set_.find(name));
  const Definition definition = container->definition_now();
  const RunState run = container->run_now();
  const std::string directory = container_directory(parts_.config, container->id);
  const std::string files =
      container_mode(definition.host.network_mode).empty()
          ? directory
          : container_directory(parts_.config, std::string(container_mode(definition.host.network_mode)));
  spec::docker::ContainerInspect shown;
  shown.id = container->id;
  shown.created = definition.created;
  shown.path = definition.path;
  shown.args = definition.args;
  shown.state = shown_state(run);
  shown.image = definition.image;
  if (run.started_at != Time{}) {
    shown.resolv_conf_path = files + "/resolv.conf";
    shown.hostname_path = files + "/hostname";
    shown.hosts_path = files + "/hosts";
    shown.log_path = log_path(parts_.config, definition);
  }
  shown.name = "/" + definition.name;
  shown.restart_count = run.restart_count;
  shown.driver = "overlay2";
  shown.platform = "linux";
  shown.exec_ids = lifecycle_.execs().ids_of(container->id);
  shown.host_config = definition.host;
  shown.graph_driver = graph_driver(parts_, container->id);
  if (size) {
    shown.size_rw = layer_size(parts_, container->id);
    const auto image = parts_.images.resolve(definition.image);
    shown.size_root_fs = *shown.size_rw + (image.ok() ? static_cast<std::int64_t>(image->size) : 0);
  }
  shown.mounts = shown_mounts(definition);
  shown.config = definition.config;
  shown.network_settings = shown_network(definition, run, TRY(parts_.networks.endpoints(container->id)));
  // Once it has been there, a container shows its networks' ids also while it does not run.
  for (auto& [network, endpoint] : shown.network_settings.networks) {
    if (run.started_at == Time{} || !endpoint.network_id.empty()) continue;
    if (const auto found = parts_.networks.inspect(network); found.ok()) endpoint.network_id = found->id;
  }
  return shown;
}

Result<void> Containers::rename(std::string_view name, const std::string& new_name) {
  const auto container = TRY(set_.find(name));
  if (new_name.empty() || new_name == "/")
    return Error(Kind::InvalidArgument, "Neither old nor new names may be empty");
  const MutexLock operation(container->operation);
  const std::string old_name = container->definition_now().name;
  if (new_name == old_name || new_name == "/" + old_name)
    return Error(Kind::InvalidArgument, "Renaming a container with the same name as its current name");
  if (const auto named = check_name(new_name.starts_with('/') ? new_name.substr(1) : new_name); !named.ok())
    return fail(
        Kind::InvalidArgument,
        "Error when allocating new name: Invalid container name (/{}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are "
        "allowed",
        new_name.starts_with('/') ? new_name.substr(1) : new_name);
  auto reservation = TRY_CONTEXT(set_.reserve(new_name, container->id), "Error when allocating new name");
  TRY(parts_.networks.rename(container->id, reservation.name()));
  if (auto renamed = set_.rename(*container, reservation.name()); !renamed.ok()) {
    (void)parts_.networks.rename(container->id, old_name);
    return renamed;
  }
  reservation.keep();
  auto attributes = event_attributes(container->definition_now());
  attributes["oldName"] = "/" + old_name;
  events_.publish("container", "rename", container->id, std::move(attributes));
  return {};
}

Result<void> Containers::remove(std::string_view name, const RemoveOptions& options) {
  const auto container = TRY(set_.find(name));
  const std::string own_name = container->definition_now().name;
  const State state = container->state_now();
  if (state == State::Removing)
    return fail(Kind::Conflict, "removal of container {} is already in progress", name);
  if (is_running(state) && !options.force) {
    const char* what = state == State::Paused
                           ? "container is paused and must be unpaused first"
                           : "container is running: stop the container before removing or force remove";
    return fail(Kind::Conflict, "cannot remove container \"{}\": {}", own_name, what);
  }
  if (options.force)
    TRY_CONTEXT(lifecycle_.end(container), "cannot remove container \"{}\": could not kill", own_name);
  auto removed = lifecycle_.destroy(container, options.volumes);
  // With --rm the end itself has taken it away.
  if (!removed.ok() && removed.error().kind() == Kind::NotFound && options.force) return {};
  return removed;
}

Result<std::vector<std::string>> Containers::update(std::string_view name,
                                                    const spec::docker::ContainerUpdate& request) {
  const auto container = TRY(set_.find(name));
  const MutexLock operation(container->operation);
  Definition changed = container->definition_now();
  const auto& wanted = request.resources;
  if (wanted.memory_swap == 0 && wanted.memory > changed.host.resources.memory_swap)
    return fail(
        Kind::Conflict,
        "Cannot update container {}: Memory limit should be smaller than already set memoryswap limit, "
        "update the memoryswap at the same time",
        container->id);
  apply_update(changed.host.resources, request.resources);
  const auto& policy = request.restart_policy;
  if (policy && !policy->name.empty()) {
    if (changed.host.auto_remove && policy->name != "no")
      return Error(Kind::InvalidArgument,
                   "Restart policy cannot be updated because AutoRemove is enabled for the container");
    changed.host.restart_policy = *policy;
  }
  TRY(check_resources(changed.host.resources, host_facts()));
  TRY(check_restart_policy(changed.host.restart_policy, changed.host.auto_remove));
  if (const auto task = container->task_now())
    TRY_CONTEXT(task->update(make_resources(changed.host)), "Cannot update container {}", container->id);
  {
    const MutexLock lock(container->mutex);
    container->definition.host = changed.host;
  }
  TRY(set_.store_definition(*container));
  events_.publish("container", "update", container->id, event_attributes(changed));
  return std::vector<std::string>();
}

Result<spec::docker::TopResponse> Containers::top(std::string_view name, const std::string& ps_arguments) {
  const auto container = TRY(set_.find(name));
  const auto task = running_task(*container);
  if (!task.ok()) return task.error();
  const auto pids = TRY((*task)->processes());
  sys::SpawnOptions options;
  options.program = "ps";
  options.search_path = true;
  options.arguments = {"ps"};
  for (std::string& word : fields_of(ps_arguments.empty() ? "-ef" : ps_arguments, SIZE_MAX))
    options.arguments.push_back(std::move(word));
  const auto output = TRY_CONTEXT(sys::run(std::move(options)), "error running ps");
  // What ps says first is why it failed; its usage follows.
  if (output.status != 0)
    return fail(Kind::InvalidArgument, "ps: {}", cut(output.standard_error, '\n').first);
  auto answer = TRY(parse_ps(output.standard_output, std::set<pid_t>(pids.begin(), pids.end())));
  events_.publish("container", "top", container->id, event_attributes(container->definition_now()));
  return answer;
}

Result<spec::docker::ContainerPruneReport> Containers::prune(const Filters& filters) {
  TRY(filters.check({"label", "label!", "until"}));
  std::optional<Time> until;
  for (const std::string& text : filters.values("until")) {
    until = parse_timestamp(text, now());
    if (!until)
      return fail(Kind::InvalidArgument, "failed to parse value as time or duration: {}", quote(text));
  }
  spec::docker::ContainerPruneReport report;
  for (const auto& container : set_.all()) {
    const State state = container->state_now();
    const Definition definition = container->definition_now();
    if (state != State::Created && state != State::Exited && state != State::Dead) continue;
    if (!filters.labels(definition.config.labels) || (until && definition.created > *until)) continue;
    const std::int64_t size = layer_size(parts_, container->id);
    if (!lifecycle_.destroy(container, false).ok())
      continue;  // started or removed by somebody else meanwhile
    report.containers_deleted.push_back(container->id);
    report.space_reclaimed += static_cast<std::uint64_t>(size);
  }
  events_.publish("container", "prune", "", {{"reclaimed", std::to_string(report.space_reclaimed)}});
  return report;
}

}  // namespace skiff::engine
