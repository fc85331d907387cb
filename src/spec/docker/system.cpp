#include "spec/docker/system.h"

#include "spec/json_shape.h"

namespace skiff::spec::docker {

using json::Omit;

void describe(json::Fields& f, ErrorResponse& answer) { f("message", answer.message); }

void describe(json::Fields& f, IdResponse& answer) { f("Id", answer.id); }

void describe(json::Fields& f, PlatformName& platform) { f("Name", platform.name); }

void describe(json::Fields& f, Component& component) {
  f("Name", component.name);
  f("Version", component.version);
  f("Details", component.details, Omit::Empty);
}

void describe(json::Fields& f, Version& version) {
  f("Platform", version.platform);
  f("Components", version.components, Omit::Empty);
  f("Version", version.version);
  f("ApiVersion", version.api_version);
  f("MinAPIVersion", version.min_api_version, Omit::Empty);
  f("GitCommit", version.git_commit);
  f("GoVersion", version.go_version);
  f("Os", version.os);
  f("Arch", version.arch);
  f("KernelVersion", version.kernel_version, Omit::Empty);
  f("Experimental", version.experimental, Omit::Empty);
  f("BuildTime", version.build_time, Omit::Empty);
}

void describe(json::Fields& f, PluginsInfo& plugins) {
  f("Volume", plugins.volume);
  f("Network", plugins.network);
  null_when_empty(f, "Authorization", plugins.authorization);
  f("Log", plugins.log);
}

void describe(json::Fields& f, IndexConfig& config) {
  f("Mirrors", config.mirrors);
  f("Name", config.name);
  f("Official", config.official);
  f("Secure", config.secure);
}

void describe(json::Fields& f, RegistryConfig& config) {
  f("IndexConfigs", config.index_configs);
  f("InsecureRegistryCIDRs", config.insecure_registry_cidrs);
  null_when_empty(f, "Mirrors", config.mirrors);
}

void describe(json::Fields& f, RuntimeInfo& runtime) {
  f("path", runtime.path, Omit::Empty);
  f("runtimeArgs", runtime.runtime_args, Omit::Empty);
  f("status", runtime.status, Omit::Empty);
}

void describe(json::Fields& f, SwarmInfo& swarm) {
  f("NodeID", swarm.node_id);
  f("NodeAddr", swarm.node_addr);
  f("LocalNodeState", swarm.local_node_state);
  f("ControlAvailable", swarm.control_available);
  f("Error", swarm.error);
  if (!f.reading()) f.object().insert_or_assign("RemoteManagers", nullptr);
}

void describe(json::Fields& f, Commit& commit) { f("ID", commit.id); }

void describe(json::Fields& f, AddressPoolInfo& pool) {
  f("Base", pool.base);
  f("Size", pool.size);
}

void describe(json::Fields& f, FirewallInfo& firewall) { f("Driver", firewall.driver); }

void describe(json::Fields& f, Info& info) {
  f("ID", info.id);
  f("Containers", info.containers);
  f("ContainersRunning", info.containers_running);
  f("ContainersPaused", info.containers_paused);
  f("ContainersStopped", info.containers_stopped);
  f("Images", info.images);
  f("Driver", info.driver);
  f("DriverStatus", info.driver_status);
  f("Plugins", info.plugins);
  f("MemoryLimit", info.memory_limit);
  f("SwapLimit", info.swap_limit);
  f("KernelMemoryTCP", info.kernel_memory_tcp, Omit::Empty);
  f("CpuCfsPeriod", info.cpu_cfs_period);
  f("CpuCfsQuota", info.cpu_cfs_quota);
  f("CPUShares", info.cpu_shares);
  f("CPUSet", info.cpu_set);
  f("PidsLimit", info.pids_limit);
  f("IPv4Forwarding", info.ipv4_forwarding);
  f("Debug", info.debug);
  f("NFd", info.n_fd);
  f("OomKillDisable", info.oom_kill_disable);
  f("NGoroutines", info.n_goroutines);
  f("SystemTime", info.system_time);
  f("LoggingDriver", info.logging_driver);
  f("CgroupDriver", info.cgroup_driver);
  f("CgroupVersion", info.cgroup_version, Omit::Empty);
  f("NEventsListener", info.n_events_listener);
  f("KernelVersion", info.kernel_version);
  f("OperatingSystem", info.operating_system);
  f("OSVersion", info.os_version);
  f("OSType", info.os_type);
  f("Architecture", info.architecture);
  f("IndexServerAddress", info.index_server_address);
  f("RegistryConfig", info.registry_config);
  f("NCPU", info.n_cpu);
  f("MemTotal", info.mem_total);
  if (!f.reading()) f.object().insert_or_assign("GenericResources", nullptr);
  f("DockerRootDir", info.docker_root_dir);
  f("HttpProxy", info.http_proxy);
  f("HttpsProxy", info.https_proxy);
  f("NoProxy", info.no_proxy);
  f("Name", info.name);
  f("Labels", info.labels);
  f("ExperimentalBuild", info.experimental_build);
  f("ServerVersion", info.server_version);
  f("Runtimes", info.runtimes);
  f("DefaultRuntime", info.default_runtime);
  f("Swarm", info.swarm);
  f("LiveRestoreEnabled", info.live_restore_enabled);
  f("FirewallBackend", info.firewall_backend);
  f("Isolation", info.isolation);
  f("InitBinary", info.init_binary);
  f("ContainerdCommit", info.containerd_commit);
  f("RuncCommit", info.runc_commit);
  f("InitCommit", info.init_commit);
  f("SecurityOptions", info.security_options);
  f("DefaultAddressPools", info.default_address_pools, Omit::Empty);
  null_when_empty(f, "Warnings", info.warnings);
  // Empty: devices by such specifications are not to be had here.
  if (!f.reading()) f.object().insert_or_assign("CDISpecDirs", json::Array());
}

void describe(json::Fields& f, BuildCacheRecord& record) {
  f("ID", record.id);
  f("Parent", record.parent, Omit::Empty);
  f("Type", record.type);
  f("Description", record.description);
  f("InUse", record.in_use);
  f("Shared", record.shared);
  f("Size", record.size);
  f("CreatedAt", record.created_at);
  f("LastUsedAt", record.last_used_at);
  f("UsageCount", record.usage_count);
}

void describe(json::Fields& f, DiskUsage& usage) {
  f("LayersSize", usage.layers_size, Omit::Empty);
  f("Images", usage.images, Omit::Empty);
  f("Containers", usage.containers, Omit::Empty);
  f("Volumes", usage.volumes, Omit::Empty);
  f("BuildCache", usage.build_cache, Omit::Empty);
}

void describe(json::Fields& f, BuildPruneReport& report) {
  null_when_empty(f, "CachesDeleted", report.caches_deleted);
  f("SpaceReclaimed", report.space_reclaimed);
}

void describe(json::Fields& f, Actor& actor) {
  f("ID", actor.id);
  f("Attributes", actor.attributes);
}

void describe(json::Fields& f, EventMessage& event) {
  f("status", event.status, Omit::Empty);
  f("id", event.id, Omit::Empty);
  f("from", event.from, Omit::Empty);
  f("Type", event.type);
  f("Action", event.action);
  f("Actor", event.actor);
  f("scope", event.scope, Omit::Empty);
  f("time", event.time, Omit::Empty);
  f("timeNano", event.time_nano, Omit::Empty);
}

void describe(json::Fields& f, ErrorDetail& detail) {
  f("code", detail.code, Omit::Empty);
  f("message", detail.message);
}

void describe(json::Fields& f, ProgressDetail& detail) {
  f("current", detail.current, Omit::Empty);
  f("total", detail.total, Omit::Empty);
}

void describe(json::Fields& f, ProgressLine& line) {
  f("stream", line.stream, Omit::Empty);
  f("status", line.status, Omit::Empty);
  f("progressDetail", line.progress_detail, Omit::Empty);
  f("progress", line.progress, Omit::Empty);
  f("id", line.id, Omit::Empty);
  f("errorDetail", line.error_detail, Omit::Empty);
  f("error", line.error, Omit::Empty);
  f("aux", line.aux, Omit::Empty);
}

}  // namespace skiff::spec::docker
