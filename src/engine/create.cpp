#include <arpa/inet.h>
#include <fcntl.h>

#include <array>
#include <set>

#include "base/ids.h"
#include "base/log.h"
#include "base/strings.h"
#include "engine/containers.h"
#include "engine/copy_up.h"
#include "engine/create_request.h"
#include "engine/events.h"
#include "engine/lifecycle.h"
#include "engine/mounts.h"
#include "spec/platform.h"
#include "sys/file.h"
#include "sys/path.h"

/// POST /containers/create: everything is judged before the first thing is made.
namespace skiff::engine {
namespace {

Result<void> check_platform(const std::string& wanted, const image::Image& image, const std::string& name) {
  if (wanted.empty()) return {};
  const auto platform = TRY(spec::Platform::parse(wanted));
  if (platform.accepts(image.config.platform)) return {};
  return fail(Kind::NotFound,
              "image with reference {} was found but does not provide the specified platform ({})", name,
              platform.to_string());
}

/// Modes that name another container keep its id: names can change.
Result<void> resolve_modes(spec::docker::HostConfig& host, ContainerSet& set) {
  for (std::string* mode : {&host.pid_mode, &host.ipc_mode}) {
    const std::string_view other = container_mode(*mode);
    if (other.empty()) continue;
    const auto found = set.find(other);
    // Not NotFound: clients take that for a missing image and pull it.
    if (!found.ok()) return Error(Kind::InvalidArgument, found.error().message());
    *mode = "container:" + (*found)->id;
  }
  // Whose network it will be is asked again at the start: that container may come later.
  if (const std::string_view other = container_mode(host.network_mode); !other.empty())
    if (const auto found = set.find(other); found.ok()) host.network_mode = "container:" + (*found)->id;
  return {};
}

/// Addresses can be wished for on networks whose subnet the user chose. All that is wrong is said at once.
Result<void> check_addresses(const std::string& network, const spec::docker::EndpointSettings& wanted,
                             network::Service& networks) {
  const auto& wish = wanted.ipam_config;
  if (!wish || (wish->ipv4_address.empty() && wish->ipv6_address.empty())) return {};
  std::vector<std::string> wrong;
  const bool joined = !container_mode(network).empty();
  if (joined || network.empty() || network == "default" || network == "bridge" || network == "host" ||
      network == "none")
    wrong.emplace_back("user specified IP address is supported on user defined networks only");
  std::array<unsigned char, 16> bytes{};
  if (!wish->ipv4_address.empty() && ::inet_pton(AF_INET, wish->ipv4_address.c_str(), bytes.data()) != 1)
    wrong.push_back("invalid IPv4 address: " + wish->ipv4_address);
  if (!wish->ipv6_address.empty() && ::inet_pton(AF_INET6, wish->ipv6_address.c_str(), bytes.data()) != 1)
    wrong.push_back("invalid IPv6 address: " + wish->ipv6_address);
  // A network that is not there is named by the start.
  if (!joined && (!wrong.empty() || networks.inspect(network).ok()) && !networks.has_chosen_subnet(network))
    wrong.emplace_back(
        "user specified IP address is supported only when connecting to networks with user configured "
        "subnets");
  if (wrong.empty()) return {};
  const std::string text = wrong.size() == 1 ? wrong[0] : "* " + join(wrong, "\n* ");
  return fail(Kind::InvalidArgument, "invalid config for network {}: invalid endpoint settings:\n{}",
              network.empty() || network == "default" ? "bridge" : network, text);
}

/// Which networks the container is on, with what was asked for each.
std::map<std::string, spec::docker::EndpointSettings> settle_endpoints(
    const spec::docker::HostConfig& host, std::map<std::string, spec::docker::EndpointSettings> wanted) {
  std::map<std::string, spec::docker::EndpointSettings> endpoints;
  if (!container_mode(host.network_mode).empty()) return endpoints;
  for (auto& [name, settings] : wanted)
    endpoints[name == "default" ? host.network_mode : name] = std::move(settings);
  // Asked for by --network alone, or by its older form: the only entry stands for the mode.
  endpoints.try_emplace(host.network_mode);
  if (host.network_mode == "host")
    std::erase_if(endpoints, [&](const auto& entry) { return entry.first != host.network_mode; });
  return endpoints;
}

void settle_hostname(Definition& definition) {
  auto& hostname = definition.config.hostname;
  if (!hostname.empty()) return;
  const bool hosts_own = definition.host.network_mode == "host" || definition.host.uts_mode == "host";
  hostname = hosts_own ? host_facts().hostname : std::string(short_id(definition.id));
}

void settle_command(Definition& definition) {
  const auto& config = definition.config;
  std::vector<std::string> words = config.entrypoint.value_or(std::vector<std::string>());
  words.insert(words.end(), config.cmd.begin(), config.cmd.end());
  definition.path = words.front();
  definition.args.assign(words.begin() + 1, words.end());
}

bool path_exists(const std::string& path) { return sys::exists(path); }

}  // namespace

Result<Definition> Containers::settle(const std::string& name, const std::string& platform,
                                      spec::docker::ContainerCreate& request, image::Image& image) {
  if (!name.empty()) TRY(check_name(name.starts_with('/') ? name.substr(1) : name));
  TRY(check_config(request.config));
  TRY(check_host_config(request.host_config, parts_.config, host_facts()));
  TRY(check_combination(request.config, request.host_config));
  for (const auto& [network, wanted] : request.networking_config.endpoints_config)
    TRY(check_addresses(network == "default" ? request.host_config.network_mode : network, wanted,
                        parts_.networks));
  fill_defaults(request.host_config, parts_.config, host_facts());
  TRY(resolve_modes(request.host_config, set_));
  image = TRY(parts_.images.resolve(request.config.image));
  TRY(check_platform(platform, image, request.config.image));
  TRY(parts_.trust.check_use(image));
  TRY(merge_image(request.config, image.config.config));
  TRY(check_config(request.config));

  Definition definition;
  definition.id = random_id();
  definition.created = now();
  definition.image = image.id.to_string();
  definition.config = std::move(request.config);
  definition.host = std::move(request.host_config);
  definition.endpoints =
      settle_endpoints(definition.host, std::move(request.networking_config.endpoints_config));
  settle_hostname(definition);
  settle_command(definition);
  TRY(settle_mounts(definition));
  return definition;
}

Result<void> Containers::settle_mounts(Definition& definition) {
  auto& host = definition.host;
  std::vector<ContainerMount> mounts;
  std::set<std::string> own;
  const auto add = [&](ContainerMount mount) -> Result<void> {
    if (!own.insert(mount.point.destination).second || host.tmpfs.contains(mount.point.destination))
      return fail(Kind::InvalidArgument, "Duplicate mount point: {}", mount.point.destination);
    std::erase_if(mounts, [&](const auto& m) { return m.point.destination == mount.point.destination; });
    mounts.push_back(std::move(mount));
    return {};
  };
  for (const std::string& spec : host.volumes_from) {
    const VolumesFrom from = TRY(parse_volumes_from(spec));
    const auto source = set_.find(from.container);
    // Not NotFound: clients take that for a missing image and pull it.
    if (!source.ok()) return Error(Kind::InvalidArgument, source.error().message());
    for (ContainerMount mount : (*source)->definition_now().mounts) {
      if (mount.point.type == "tmpfs") continue;
      mount.anonymous = false;
      mount.copy_up = false;
      mount.point.rw = mount.point.rw && !from.read_only;
      std::erase_if(mounts, [&](const auto& m) { return m.point.destination == mount.point.destination; });
      mounts.push_back(std::move(mount));
    }
  }
  for (const std::string& bind : host.binds) TRY(add(TRY(parse_bind(bind, host.volume_driver))));
  for (const auto& mount : host.mounts) TRY(add(TRY(parse_mount(mount, &path_exists))));
  for (const auto& [destination, options] : host.tmpfs) {
    TRY(check_destination(destination));
    TRY(tmpfs_options(options));
  }
  for (const auto& [path, unused] : definition.config.volumes) {
    const std::string destination = sys::clean_path(path);
    const auto there = [&](const ContainerMount& m) { return m.point.destination == destination; };
    if (std::any_of(mounts.begin(), mounts.end(), there) || host.tmpfs.contains(destination)) continue;
    mounts.push_back(TRY(parse_bind(destination, host.volume_driver)));
    mounts.back().point.mode.clear();
  }
  sort_by_destination(mounts);
  definition.mounts = std::move(mounts);
  return {};
}

Result<void> Containers::make_volumes(Definition& definition, UndoStack& undo) {
  const std::string& id = definition.id;
  undo.add([this, id] { (void)parts_.volumes.release(id); });
  for (ContainerMount& mount : definition.mounts) {
    if (mount.point.type != "volume") continue;
    const bool fresh = mount.point.name.empty() || !parts_.volumes.inspect(mount.point.name).ok();
    spec::docker::VolumeCreate request;
    request.name = mount.point.name;
    request.driver = mount.point.driver;
    for (const auto& wanted : definition.host.mounts) {
      if (!wanted.volume_options || sys::clean_path(wanted.target) != mount.point.destination) continue;
      request.labels = wanted.volume_options->labels;
      if (wanted.volume_options->driver_config)
        request.driver_opts = wanted.volume_options->driver_config->options;
    }
    const auto volume = TRY(parts_.volumes.create(request));
    mount.point.name = volume.name;
    mount.point.source = volume.mountpoint;
    mount.point.driver = volume.driver;
    if (fresh) {
      undo.add([this, name = volume.name] { (void)parts_.volumes.remove(name, true); });
      events_.publish("volume", "create", volume.name, {{"driver", volume.driver}});
    }
    TRY(parts_.volumes.acquire(volume.name, id));
    // Releasing comes before removing when all of this is undone.
    undo.add([this, id] { (void)parts_.volumes.release(id); });
  }
  return {};
}

Result<spec::docker::ContainerCreated> Containers::create(const std::string& name,
                                                          const std::string& platform,
                                                          spec::docker::ContainerCreate request) {
  spec::docker::ContainerCreated answer;
  const bool ports = !request.host_config.port_bindings.empty();
  image::Image image;
  auto warnings = discard_unsupported(request.host_config.resources, host_facts());
  answer.warnings.insert(answer.warnings.end(), warnings.begin(), warnings.end());
  Definition definition = TRY(settle(name, platform, request, image));
  if (ports && definition.host.network_mode == "host")
    answer.warnings.emplace_back("Published ports are discarded when using host network mode");

  auto reservation = TRY(set_.reserve(name, definition.id));
  const auto hold = set_.hold_image(definition.image, definition.id);
  (void)TRY(parts_.images.resolve(definition.image));
  definition.name = reservation.name();
  const std::string id = definition.id;
  UndoStack undo;
  const std::string directory = container_directory(parts_.config, id);
  TRY(sys::make_directories(directory, 0710));
  undo.add([directory] { (void)sys::remove_tree(directory); });
  TRY(parts_.images.snapshots().prepare(snapshot_key(id), image.snapshot));
  undo.add([this, id] { (void)parts_.images.snapshots().remove(snapshot_key(id)); });
  // By this file programs tell that they run in a container.
  (void)TRY(sys::open_file(TRY(parts_.images.snapshots().layer_directory(snapshot_key(id))) + "/.dockerenv",
                           O_WRONLY | O_CREAT | O_NOFOLLOW, 0755));
  TRY(make_volumes(definition, undo));
  TRY(copy_up(parts_, definition));
  const auto attributes = event_attributes(definition);
  TRY(set_.add(std::move(definition)));
  undo.dismiss();
  reservation.keep();
  parts_.images.used(image.id);
  events_.publish("container", "create", id, attributes);
  answer.id = id;
  return answer;
}

}  // namespace skiff::engine
