#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "spec/docker/network.h"
#include "spec/json_shape.h"
#include "spec/oci_image.h"

/// The Engine API's containers (v1.51): what is asked for, and what is answered. Names follow the API in our
/// spelling; durations are nanoseconds, sizes bytes.
namespace skiff::spec::docker {

using oci::HealthConfig;

/// "Config": the part that is portable between hosts.
struct ContainerConfig {
  std::string hostname;
  std::string domainname;
  std::string user;
  bool attach_stdin = false;
  bool attach_stdout = false;
  bool attach_stderr = false;
  Set exposed_ports;
  bool tty = false;
  bool open_stdin = false;
  bool stdin_once = false;
  std::vector<std::string> env;
  std::vector<std::string> cmd;
  std::optional<HealthConfig> healthcheck;
  bool args_escaped = false;
  std::string image;
  Set volumes;
  std::string working_dir;
  std::optional<std::vector<std::string>> entrypoint;  ///< absent: the image's; {} or {""}: none
  bool network_disabled = false;
  std::string mac_address;
  std::vector<std::string> on_build;
  std::map<std::string, std::string> labels;
  std::string stop_signal;
  std::optional<int> stop_timeout;  ///< seconds
  std::vector<std::string> shell;
};

struct LogConfig {
  std::string type;
  std::map<std::string, std::string> config;
};

struct RestartPolicy {
  std::string name;  ///< "", "no", "always", "on-failure", "unless-stopped"
  int maximum_retry_count = 0;
};

struct PortBinding {
  std::string host_ip;
  std::string host_port;

  friend bool operator==(const PortBinding&, const PortBinding&) = default;
};
using PortMap = std::map<std::string, std::vector<PortBinding>>;  ///< "80/tcp"; an empty list is null

struct WeightDevice {
  std::string path;
  std::uint16_t weight = 0;
};

struct ThrottleDevice {
  std::string path;
  std::uint64_t rate = 0;
};

struct DeviceMapping {
  std::string path_on_host;
  std::string path_in_container;
  std::string cgroup_permissions;
};

struct DeviceRequest {
  std::string driver;
  int count = 0;
  std::vector<std::string> device_ids;
  std::vector<std::vector<std::string>> capabilities;
  std::map<std::string, std::string> options;
};

struct Ulimit {
  std::string name;
  std::int64_t hard = 0;
  std::int64_t soft = 0;
};

/// The limits of a container: part of HostConfig and of update.
struct Resources {
  std::int64_t cpu_shares = 0;
  std::int64_t memory = 0;
  std::int64_t nano_cpus = 0;
  std::string cgroup_parent;
  std::uint16_t blkio_weight = 0;
  std::vector<WeightDevice> blkio_weight_device;
  std::vector<ThrottleDevice> blkio_device_read_bps;
  std::vector<ThrottleDevice> blkio_device_write_bps;
  std::vector<ThrottleDevice> blkio_device_read_iops;
  std::vector<ThrottleDevice> blkio_device_write_iops;
  std::int64_t cpu_period = 0;
  std::int64_t cpu_quota = 0;
  std::int64_t cpu_realtime_period = 0;
  std::int64_t cpu_realtime_runtime = 0;
  std::string cpuset_cpus;
  std::string cpuset_mems;
  std::vector<DeviceMapping> devices;
  std::vector<std::string> device_cgroup_rules;
  std::vector<DeviceRequest> device_requests;
  std::int64_t kernel_memory = 0;
  std::int64_t kernel_memory_tcp = 0;
  std::int64_t memory_reservation = 0;
  std::int64_t memory_swap = 0;
  std::optional<std::int64_t> memory_swappiness;
  std::optional<bool> oom_kill_disable;
  std::optional<std::int64_t> pids_limit;
  std::vector<Ulimit> ulimits;
  std::int64_t cpu_count = 0;
  std::int64_t cpu_percent = 0;
  std::uint64_t io_maximum_iops = 0;
  std::uint64_t io_maximum_bandwidth = 0;
};

struct BindOptions {
  std::string propagation;
  bool non_recursive = false;
  bool create_mountpoint = false;
  bool read_only_non_recursive = false;
  bool read_only_force_recursive = false;
};

struct DriverConfig {
  std::string name;
  std::map<std::string, std::string> options;
};

struct VolumeOptions {
  bool no_copy = false;
  std::map<std::string, std::string> labels;
  std::string subpath;
  std::optional<DriverConfig> driver_config;
};

struct ImageOptions {
  std::string subpath;
};

struct TmpfsOptions {
  std::int64_t size_bytes = 0;
  std::uint32_t mode = 0;
  std::vector<std::vector<std::string>> options;
};

/// One of HostConfig.Mounts (--mount).
struct MountRequest {
  std::string type;  ///< "bind", "volume", "tmpfs", "image"
  std::string source;
  std::string target;
  bool read_only = false;
  std::string consistency;
  std::optional<BindOptions> bind_options;
  std::optional<VolumeOptions> volume_options;
  std::optional<ImageOptions> image_options;
  std::optional<TmpfsOptions> tmpfs_options;
};

/// The part that belongs to one host.
struct HostConfig {
  std::vector<std::string> binds;  ///< "source:destination[:options]"
  std::string container_id_file;
  LogConfig log_config;
  std::string network_mode;  ///< "", "default", "bridge", "host", "none", "container:ID", a network
  PortMap port_bindings;
  RestartPolicy restart_policy;
  bool auto_remove = false;
  std::string volume_driver;
  std::vector<std::string> volumes_from;
  std::vector<std::uint32_t> console_size = {0, 0};  ///< height, width
  std::map<std::string, std::string> annotations;
  std::vector<std::string> cap_add;
  std::vector<std::string> cap_drop;
  std::string cgroupns_mode;
  std::vector<std::string> dns;
  std::vector<std::string> dns_options;
  std::vector<std::string> dns_search;
  std::vector<std::string> extra_hosts;
  std::vector<std::string> group_add;
  std::string ipc_mode;
  std::string cgroup;
  std::vector<std::string> links;
  int oom_score_adj = 0;
  std::string pid_mode;
  bool privileged = false;
  bool publish_all_ports = false;
  bool readonly_rootfs = false;
  std::vector<std::string> security_opt;
  std::map<std::string, std::string> storage_opt;
  std::map<std::string, std::string> tmpfs;
  std::string uts_mode;
  std::string userns_mode;
  std::int64_t shm_size = 0;
  std::map<std::string, std::string> sysctls;
  std::string runtime;
  std::string isolation;
  Resources resources;  ///< its members stand in HostConfig itself
  std::vector<MountRequest> mounts;
  std::optional<std::vector<std::string>> masked_paths;    ///< absent: the default ones
  std::optional<std::vector<std::string>> readonly_paths;  ///< absent: the default ones
  std::optional<bool> init;
};

struct NetworkingConfig {
  std::map<std::string, EndpointSettings> endpoints_config;
};

/// Body of POST /containers/create: ContainerConfig's members beside HostConfig and NetworkingConfig.
struct ContainerCreate {
  ContainerConfig config;
  HostConfig host_config;
  NetworkingConfig networking_config;
};

struct ContainerCreated {
  std::string id;
  std::vector<std::string> warnings;
};

/// Body of POST /containers/{id}/update.
struct ContainerUpdate {
  Resources resources;
  std::optional<RestartPolicy> restart_policy;
};

struct HealthResult {
  Time start{};
  Time end{};
  int exit_code = 0;
  std::string output;
};

struct Health {
  std::string status;  ///< "none", "starting", "healthy", "unhealthy"
  int failing_streak = 0;
  std::vector<HealthResult> log;
};

struct ContainerState {
  std::string status = "created";  ///< created, running, paused, restarting, removing, exited, dead
  bool running = false;
  bool paused = false;
  bool restarting = false;
  bool oom_killed = false;
  bool dead = false;
  int pid = 0;
  int exit_code = 0;
  std::string error;
  Time started_at{};
  Time finished_at{};
  std::optional<Health> health;
};

struct MountPoint {
  std::string type;
  std::string name;
  std::string source;
  std::string destination;
  std::string driver;
  std::string mode;
  bool rw = true;
  std::string propagation;
};

struct GraphDriver {
  std::map<std::string, std::string> data;
  std::string name;
};

struct NetworkSettings {
  std::string bridge;
  std::string sandbox_id;
  std::string sandbox_key;
  PortMap ports;
  bool hairpin_mode = false;
  std::string link_local_ipv6_address;
  int link_local_ipv6_prefix_len = 0;
  std::string endpoint_id;
  std::string gateway;
  std::string global_ipv6_address;
  int global_ipv6_prefix_len = 0;
  std::string ip_address;
  int ip_prefix_len = 0;
  std::string ipv6_gateway;
  std::string mac_address;
  std::map<std::string, EndpointSettings> networks;
};

/// Answer of GET /containers/{id}/json.
struct ContainerInspect {
  std::string id;
  Time created{};
  std::string path;
  std::vector<std::string> args;
  ContainerState state;
  std::string image;
  std::string resolv_conf_path;
  std::string hostname_path;
  std::string hosts_path;
  std::string log_path;
  std::string name;  ///< "/name"
  int restart_count = 0;
  std::string driver;
  std::string platform;
  std::string mount_label;
  std::string process_label;
  std::string apparmor_profile;
  std::vector<std::string> exec_ids;
  HostConfig host_config;
  GraphDriver graph_driver;
  std::optional<std::int64_t> size_rw;
  std::optional<std::int64_t> size_root_fs;
  std::vector<MountPoint> mounts;
  ContainerConfig config;
  NetworkSettings network_settings;
};

struct Port {
  std::string ip;
  std::uint16_t private_port = 0;
  std::uint16_t public_port = 0;
  std::string type;

  friend auto operator<=>(const Port&, const Port&) = default;
};

struct SummaryHostConfig {
  std::string network_mode;
  std::map<std::string, std::string> annotations;
};

struct SummaryNetworkSettings {
  std::map<std::string, EndpointSettings> networks;
};

/// One line of GET /containers/json.
struct ContainerSummary {
  std::string id;
  std::vector<std::string> names;  ///< "/name"
  std::string image;
  std::string image_id;
  std::string command;
  std::int64_t created = 0;  ///< seconds since 1970
  std::vector<Port> ports;
  std::int64_t size_rw = 0;
  std::int64_t size_root_fs = 0;
  std::map<std::string, std::string> labels;
  std::string state;
  std::string status;
  SummaryHostConfig host_config;
  SummaryNetworkSettings network_settings;
  std::vector<MountPoint> mounts;
};

struct TopResponse {
  std::vector<std::vector<std::string>> processes;
  std::vector<std::string> titles;
};

struct WaitError {
  std::string message;
};

struct WaitResponse {
  std::optional<WaitError> error;
  std::int64_t status_code = 0;
};

struct FileChange {
  std::string path;
  int kind = 0;  ///< 0 modified, 1 added, 2 deleted
};

/// The X-Docker-Container-Path-Stat header (base64 of this JSON).
struct PathStat {
  std::string name;
  std::int64_t size = 0;
  std::uint32_t mode = 0;  ///< Go's os.FileMode bits, see go_file_mode()
  Time mtime{};
  std::string link_target;
};

/// Go's os.FileMode of a Unix st_mode: type bits stand at the top of the word.
std::uint32_t go_file_mode(std::uint32_t unix_mode);
/// The Unix st_mode of Go's os.FileMode.
std::uint32_t unix_file_mode(std::uint32_t go_mode);

struct ContainerPruneReport {
  std::vector<std::string> containers_deleted;
  std::uint64_t space_reclaimed = 0;
};

void describe(json::Fields& f, ContainerConfig& config);
void describe(json::Fields& f, LogConfig& config);
void describe(json::Fields& f, RestartPolicy& policy);
void describe(json::Fields& f, PortBinding& binding);
void describe(json::Fields& f, WeightDevice& device);
void describe(json::Fields& f, ThrottleDevice& device);
void describe(json::Fields& f, DeviceMapping& device);
void describe(json::Fields& f, DeviceRequest& request);
void describe(json::Fields& f, Ulimit& limit);
void describe(json::Fields& f, Resources& resources);
void describe(json::Fields& f, BindOptions& options);
void describe(json::Fields& f, DriverConfig& config);
void describe(json::Fields& f, VolumeOptions& options);
void describe(json::Fields& f, ImageOptions& options);
void describe(json::Fields& f, TmpfsOptions& options);
void describe(json::Fields& f, MountRequest& mount);
void describe(json::Fields& f, HostConfig& config);
void describe(json::Fields& f, NetworkingConfig& config);
void describe(json::Fields& f, ContainerCreate& request);
void describe(json::Fields& f, ContainerCreated& answer);
void describe(json::Fields& f, ContainerUpdate& request);
void describe(json::Fields& f, HealthResult& result);
void describe(json::Fields& f, Health& health);
void describe(json::Fields& f, ContainerState& state);
void describe(json::Fields& f, MountPoint& mount);
void describe(json::Fields& f, GraphDriver& driver);
void describe(json::Fields& f, NetworkSettings& settings);
void describe(json::Fields& f, ContainerInspect& container);
void describe(json::Fields& f, Port& port);
void describe(json::Fields& f, SummaryHostConfig& config);
void describe(json::Fields& f, SummaryNetworkSettings& settings);
void describe(json::Fields& f, ContainerSummary& container);
void describe(json::Fields& f, TopResponse& answer);
void describe(json::Fields& f, WaitError& error);
void describe(json::Fields& f, WaitResponse& answer);
void describe(json::Fields& f, FileChange& change);
void describe(json::Fields& f, PathStat& stat);
void describe(json::Fields& f, ContainerPruneReport& report);

}  // namespace skiff::spec::docker
