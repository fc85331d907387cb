#include "engine/system.h"

#include <cstdlib>

#include "base/strings.h"
#include "build/ops/ops.h"
#include "build/service.h"
#include "engine/container.h"
#include "engine/container_views.h"
#include "engine/events.h"
#include "engine/host_facts.h"
#include "engine/lifecycle.h"
#include "engine/log_options.h"
#include "spec/program_version.h"
#include "sys/file.h"

namespace skiff::engine {
namespace {

constexpr std::string_view kApiVersion = "1.51";
constexpr std::string_view kOldestApiVersion = "1.24";
/// The release this engine behaves like; clients compare it.
constexpr std::string_view kEngineVersion = "28.5.2";
constexpr std::string_view kIdTable = "engine";
constexpr const char* kFeatures = "org.opencontainers.runtime-spec.features";

spec::docker::RegistryConfig registry_config(const spec::RegistrySettings& settings) {
  spec::docker::RegistryConfig shown;
  shown.index_configs["docker.io"] = {{}, "docker.io", true, true};
  shown.insecure_registry_cidrs = {"::1/128", "127.0.0.0/8"};
  for (const auto& entry : settings.insecure) {
    if (entry.find('/') != std::string::npos)
      shown.insecure_registry_cidrs.push_back(entry);
    else
      shown.index_configs[entry] = {{}, entry, false, false};
  }
  for (const auto& mirror : settings.mirrors)
    if (mirror.find('=') > mirror.find("://")) shown.index_configs["docker.io"].mirrors.push_back(mirror);
  shown.mirrors = settings.mirrors;
  return shown;
}

/// A proxy of the environment (where the configuration's are, too), without the password that it may hold.
std::string shown_proxy(const char* name, const char* lower) {
  const char* const value = std::getenv(name) ? std::getenv(name) : std::getenv(lower);
  std::string url = value ? value : "";
  const auto begin = url.find("://");
  const auto host = url.rfind('@');
  if (begin != std::string::npos && host != std::string::npos && host > begin)
    url.replace(begin + 3, host - begin - 3, "xxxxx:xxxxx");
  return url;
}

/// A number for this data root, made once.
Result<std::string> engine_id(meta::Database& database) {
  std::string id;
  TRY(database.write([&](meta::Transaction& transaction) -> Result<void> {
    if (auto known = TRY(transaction.get(kIdTable, "id"))) {
      id = *known;
      return {};
    }
    const auto uuid = sys::read_file("/proc/sys/kernel/random/uuid", 64);
    id = uuid.ok() ? std::string(trim(*uuid)) : "00000000-0000-0000-0000-000000000000";
    return transaction.put(kIdTable, "id", id);
  }));
  return id;
}

int count_of(const std::string& directory) {
  const auto names = sys::list_directory(directory);
  return names.ok() ? static_cast<int>(names->size()) : 0;
}

bool file_says_one(const char* path) {
  const auto text = sys::read_file(path, 16);
  return text.ok() && trim(*text) == "1";
}

void describe_host(const spec::EngineConfig& config, spec::docker::Info& info) {
  const HostFacts& facts = host_facts();
  info.memory_limit = info.swap_limit = info.cpu_cfs_period = info.cpu_cfs_quota = info.cpu_shares =
      info.cpu_set = info.pids_limit = true;
  info.oom_kill_disable = !facts.cgroup_v2;
  info.kernel_memory_tcp = sys::exists("/sys/fs/cgroup/memory/memory.kmem.tcp.limit_in_bytes");
  info.ipv4_forwarding = file_says_one("/proc/sys/net/ipv4/ip_forward");
  info.n_fd = count_of("/proc/self/fd");
  info.n_goroutines = count_of("/proc/self/task");
  info.cgroup_driver = config.systemd_cgroups ? "systemd" : "cgroupfs";
  info.cgroup_version = facts.cgroup_v2 ? "2" : "1";
  info.kernel_version = facts.kernel_release;
  info.operating_system = facts.os_name;
  info.os_type = "linux";
  info.architecture = spec::machine_name(facts.architecture);
  info.n_cpu = facts.cpus;
  info.mem_total = facts.memory;
  info.name = facts.hostname;
  info.security_options = {"name=seccomp,profile=builtin"};
}

}  // namespace

Result<spec::docker::Version> System::version() {
  const HostFacts& facts = host_facts();
  spec::docker::Version version;
  version.platform.name = "Skiff";
  version.version = kEngineVersion;
  version.api_version = kApiVersion;
  version.min_api_version = kOldestApiVersion;
  version.git_commit = spec::program_commit();
  version.go_version = "none";
  version.os = "linux";
  version.arch = facts.architecture;
  version.kernel_version = facts.kernel_release;
  version.build_time = spec::program_time();
  spec::docker::Component engine;
  engine.name = "Engine";
  engine.version = kEngineVersion;
  engine.details = {{"ApiVersion", std::string(kApiVersion)},
                    {"Arch", version.arch},
                    {"BuildTime", version.build_time},
                    {"Experimental", "false"},
                    {"GitCommit", version.git_commit},
                    {"GoVersion", version.go_version},
                    {"KernelVersion", version.kernel_version},
                    {"MinAPIVersion", std::string(kOldestApiVersion)},
                    {"Os", "linux"}};
  version.components = {engine};
  return version;
}

Result<spec::docker::Info> System::info() {
  spec::docker::Info info;
  describe_host(parts_.config, info);
  info.id = TRY(engine_id(parts_.database));
  for (const auto& container : set_.all()) {
    ++info.containers;
    const State state = container->state_now();
    if (state == State::Paused)
      ++info.containers_paused;
    else if (is_running(state))
      ++info.containers_running;
    else
      ++info.containers_stopped;
  }
  info.images = static_cast<std::int64_t>(TRY(parts_.images.list()).size());
  info.driver = "overlay2";
  info.driver_status = {{"Supports d_type", "true"}, {"Native Overlay Diff", "true"}, {"userxattr", "false"}};
  info.plugins = {{"local"}, {"bridge", "host", "null"}, {}, log_drivers()};
  info.debug = parts_.config.debug;
  info.system_time = now();
  info.logging_driver = parts_.config.log_driver;
  info.n_events_listener = events_.listeners();
  info.index_server_address = "https://index.docker.io/v1/";
  info.http_proxy = shown_proxy("HTTP_PROXY", "http_proxy");
  info.https_proxy = shown_proxy("HTTPS_PROXY", "https_proxy");
  info.no_proxy = shown_proxy("NO_PROXY", "no_proxy");
  info.registry_config = registry_config(parts_.config.registries);
  info.docker_root_dir = parts_.config.data_root;
  info.labels = parts_.config.labels;
  info.server_version = kEngineVersion;
  for (const auto& [name, runtime] : parts_.config.runtimes)
    info.runtimes[name] = {runtime.path, runtime.arguments, {}};
  info.runtimes.try_emplace(spec::kOwnRuntime, spec::docker::RuntimeInfo{"skiff-monitor", {}, {}});
  for (auto& [name, runtime] : info.runtimes)
    if (auto features = runtime_features_.of(name); !features.empty())
      runtime.status[kFeatures] = std::move(features);
  info.default_runtime = parts_.config.default_runtime;
  info.live_restore_enabled = true;
  info.firewall_backend.driver = "nftables";
  info.init_binary = "skiff-monitor";
  for (const auto& pool : parts_.config.address_pools)
    info.default_address_pools.push_back({pool.base, pool.size});
  return info;
}

namespace {

/// What layers take, each counted once: those of images, and those that a container still stands on. Steps of
/// builds that no image has are the build cache's.
Result<std::int64_t> layers_size(image::Store& images) {
  std::set<std::string> used;
  for (const auto& image : TRY(images.list()))
    for (const auto& layer : image.layers) used.insert(layer.snapshot);
  std::uint64_t bytes = 0;
  for (const auto& snapshot : TRY(images.snapshots().list())) {
    if (snapshot.state != snapshot::State::Committed || !snapshot.chain_id) continue;
    if (used.contains(snapshot.key) || !snapshot.key.starts_with(build::kSnapshotPrefix))
      bytes += snapshot.bytes;
  }
  return static_cast<std::int64_t>(bytes);
}

}  // namespace

Result<spec::docker::DiskUsage> System::disk_usage(const std::set<std::string>& types) {
  const auto wanted = [&](const char* type) { return types.empty() || types.contains(type); };
  spec::docker::DiskUsage usage;
  if (wanted("image")) {
    usage.images = TRY(images_.list(false, {}, true));
    usage.layers_size = TRY(layers_size(parts_.images));
  }
  if (wanted("container")) {
    ListOptions options;
    options.all = true;
    options.size = true;
    usage.containers = TRY(containers_.list(options));
  }
  if (wanted("volume")) {
    usage.volumes = TRY(volumes_.list({})).volumes;
    for (auto& volume : *usage.volumes) {
      const auto users = TRY(parts_.volumes.users(volume.name));
      volume.usage_data =
          spec::docker::VolumeUsage{static_cast<std::int64_t>(users.size()),
                                    static_cast<std::int64_t>(TRY(parts_.volumes.size(volume.name)))};
    }
  }
  if (wanted("build-cache")) {
    usage.build_cache.emplace();
    const auto cache = parts_.builds ? TRY(parts_.builds->cache_usage()) : build::CacheUsage{};
    if (cache.entries > 0) {
      spec::docker::BuildCacheRecord record;
      record.id = "steps";
      record.type = "regular";
      record.description = fmt::format("{} cached steps", cache.entries);
      record.size = static_cast<std::int64_t>(cache.bytes);
      usage.build_cache->push_back(std::move(record));
    }
  }
  return usage;
}

Result<spec::docker::BuildPruneReport> System::prune_build_cache(bool all, const Filters& filters) {
  spec::docker::BuildPruneReport report;
  TRY_CONTEXT(filters.check({"description", "id", "inuse", "label", "label!", "parent", "private", "shared",
                             "type", "unused-for", "until"}),
              "failed to prune build cache");
  std::optional<Time> until;
  for (const std::string& text : filters.values("until")) {
    until = parse_timestamp(text, now());
    if (!until)
      return fail(Kind::InvalidArgument, "failed to prune build cache: invalid filter 'until={}'", text);
  }
  if (!parts_.builds) return report;
  // Steps have no label, id or kind that a person could know: such a filter finds none of them.
  for (const char* name : {"description", "id", "inuse", "label", "parent", "private", "shared", "type"})
    if (filters.has(name)) return report;
  build::PrunedCache pruned = TRY(parts_.builds->prune_cache(all, until));
  TRY(parts_.images.sweep_layers());  // those of images that went while a step stood on them
  report.space_reclaimed = pruned.bytes;
  report.caches_deleted = std::move(pruned.ids);
  events_.publish("builder", "prune", "", {{"reclaimed", std::to_string(report.space_reclaimed)}});
  return report;
}

}  // namespace skiff::engine
