#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "spec/docker/container.h"
#include "spec/docker/image.h"
#include "spec/docker/volume.h"

/// The Engine API's system area: version, info, disk usage, events, and the lines of a build.
namespace skiff::spec::docker {

struct ErrorResponse {
  std::string message;
};

struct IdResponse {
  std::string id;
};

struct PlatformName {
  std::string name;
};

struct Component {
  std::string name;
  std::string version;
  std::map<std::string, std::string> details;
};

/// Answer of GET /version.
struct Version {
  PlatformName platform;
  std::vector<Component> components;
  std::string version;
  std::string api_version;
  std::string min_api_version;
  std::string git_commit;
  std::string go_version;
  std::string os;
  std::string arch;
  std::string kernel_version;
  bool experimental = false;
  std::string build_time;
};

struct PluginsInfo {
  std::vector<std::string> volume;
  std::vector<std::string> network;
  std::vector<std::string> authorization;
  std::vector<std::string> log;
};

struct IndexConfig {
  std::vector<std::string> mirrors;
  std::string name;
  bool official = false;
  bool secure = false;
};

struct RegistryConfig {
  std::map<std::string, IndexConfig> index_configs;
  std::vector<std::string> insecure_registry_cidrs;
  std::vector<std::string> mirrors;
};

struct RuntimeInfo {
  std::string path;
  std::vector<std::string> runtime_args;
  std::map<std::string, std::string> status;
};

struct SwarmInfo {
  std::string node_id;
  std::string node_addr;
  std::string local_node_state = "inactive";
  bool control_available = false;
  std::string error;
};

struct Commit {
  std::string id;
};

struct AddressPoolInfo {
  std::string base;
  int size = 0;
};

/// Answer of GET /info.
struct FirewallInfo {
  std::string driver;
};

struct Info {
  std::string id;
  std::int64_t containers = 0;
  std::int64_t containers_running = 0;
  std::int64_t containers_paused = 0;
  std::int64_t containers_stopped = 0;
  std::int64_t images = 0;
  std::string driver;
  std::vector<std::vector<std::string>> driver_status;  ///< pairs
  PluginsInfo plugins;
  bool memory_limit = false;
  bool swap_limit = false;
  bool cpu_cfs_period = false;
  bool cpu_cfs_quota = false;
  bool cpu_shares = false;
  bool cpu_set = false;
  bool pids_limit = false;
  bool kernel_memory_tcp = false;  ///< only of cgroup v1
  bool ipv4_forwarding = false;
  bool debug = false;
  std::int64_t n_fd = 0;
  bool oom_kill_disable = false;
  std::int64_t n_goroutines = 0;  ///< threads here
  Time system_time{};
  std::string logging_driver;
  std::string cgroup_driver;
  std::string cgroup_version;
  std::int64_t n_events_listener = 0;
  std::string kernel_version;
  std::string operating_system;
  std::string os_version;
  std::string os_type;
  std::string architecture;
  std::string index_server_address;
  RegistryConfig registry_config;
  std::int64_t n_cpu = 0;
  std::int64_t mem_total = 0;
  std::string docker_root_dir;
  std::string http_proxy;
  std::string https_proxy;
  std::string no_proxy;
  std::string name;
  std::vector<std::string> labels;
  bool experimental_build = false;
  std::string server_version;
  std::map<std::string, RuntimeInfo> runtimes;
  std::string default_runtime;
  SwarmInfo swarm;
  bool live_restore_enabled = false;
  FirewallInfo firewall_backend;
  std::string isolation;
  std::string init_binary;
  Commit containerd_commit;
  Commit runc_commit;
  Commit init_commit;
  std::vector<std::string> security_options;
  std::vector<AddressPoolInfo> default_address_pools;
  std::vector<std::string> warnings;
};

/// One record of the build cache in GET /system/df.
struct BuildCacheRecord {
  std::string id;
  std::string parent;
  std::string type;
  std::string description;
  bool in_use = false;
  bool shared = false;
  std::int64_t size = 0;
  Time created_at{};
  std::optional<Time> last_used_at;
  int usage_count = 0;
};

/// Answer of GET /system/df; parts that were not asked for are absent.
struct DiskUsage {
  std::optional<std::int64_t> layers_size;
  std::optional<std::vector<ImageSummary>> images;
  std::optional<std::vector<ContainerSummary>> containers;
  std::optional<std::vector<Volume>> volumes;
  std::optional<std::vector<BuildCacheRecord>> build_cache;
};

struct BuildPruneReport {
  std::vector<std::string> caches_deleted;
  std::uint64_t space_reclaimed = 0;
};

struct Actor {
  std::string id;
  std::map<std::string, std::string> attributes;
};

/// One line of GET /events.
struct EventMessage {
  std::string status;  ///< as action, for containers and images
  std::string id;      ///< as actor.id, for containers and images
  std::string from;    ///< the image, for containers
  std::string type;    ///< "container", "image", "network", "volume", "builder", "daemon"
  std::string action;  ///< "create", "start", "die", "exec_create: ls" ...
  Actor actor;
  std::string scope = "local";
  std::int64_t time = 0;
  std::int64_t time_nano = 0;
};

struct ErrorDetail {
  int code = 0;
  std::string message;
};

/// How far something is; both 0 when nothing can be said.
struct ProgressDetail {
  std::int64_t current = 0;
  std::int64_t total = 0;
};

/// One line of a build's, load's or pull's answer.
struct ProgressLine {
  std::string stream;
  std::string status;
  std::optional<ProgressDetail> progress_detail;  ///< of what has steps, {} included
  std::string progress;                           ///< the same as a bar
  std::string id;
  std::optional<ErrorDetail> error_detail;
  std::string error;
  std::optional<json::Value> aux;
};

void describe(json::Fields& f, ErrorResponse& answer);
void describe(json::Fields& f, IdResponse& answer);
void describe(json::Fields& f, PlatformName& platform);
void describe(json::Fields& f, Component& component);
void describe(json::Fields& f, Version& version);
void describe(json::Fields& f, PluginsInfo& plugins);
void describe(json::Fields& f, IndexConfig& config);
void describe(json::Fields& f, RegistryConfig& config);
void describe(json::Fields& f, RuntimeInfo& runtime);
void describe(json::Fields& f, SwarmInfo& swarm);
void describe(json::Fields& f, Commit& commit);
void describe(json::Fields& f, AddressPoolInfo& pool);
void describe(json::Fields& f, FirewallInfo& firewall);
void describe(json::Fields& f, Info& info);
void describe(json::Fields& f, BuildCacheRecord& record);
void describe(json::Fields& f, DiskUsage& usage);
void describe(json::Fields& f, BuildPruneReport& report);
void describe(json::Fields& f, Actor& actor);
void describe(json::Fields& f, EventMessage& event);
void describe(json::Fields& f, ErrorDetail& detail);
void describe(json::Fields& f, ProgressDetail& detail);
void describe(json::Fields& f, ProgressLine& line);

}  // namespace skiff::spec::docker
