#include "spec/docker/container.h"

/// What a container is asked to be: create and update requests.
namespace skiff::spec::docker {

using json::Omit;

void describe(json::Fields& f, ContainerConfig& config) {
  f("Hostname", config.hostname);
  f("Domainname", config.domainname);
  f("User", config.user);
  f("AttachStdin", config.attach_stdin);
  f("AttachStdout", config.attach_stdout);
  f("AttachStderr", config.attach_stderr);
  f("ExposedPorts", config.exposed_ports, Omit::Empty);
  f("Tty", config.tty);
  f("OpenStdin", config.open_stdin);
  f("StdinOnce", config.stdin_once);
  null_when_empty(f, "Env", config.env);
  if (!f.reading() && config.cmd.empty())
    f.object().insert_or_assign("Cmd", nullptr);
  else
    string_or_list(f, "Cmd", config.cmd);
  f("Healthcheck", config.healthcheck, Omit::Empty);
  f("ArgsEscaped", config.args_escaped, Omit::Empty);
  f("Image", config.image);
  null_when_empty(f, "Volumes", config.volumes);
  f("WorkingDir", config.working_dir);
  const json::Value* entrypoint = f.reading() ? f.object().if_contains("Entrypoint") : nullptr;
  if (entrypoint && entrypoint->is_string())
    string_or_list(f, "Entrypoint", config.entrypoint.emplace());
  else
    f("Entrypoint", config.entrypoint);
  f("NetworkDisabled", config.network_disabled, Omit::Empty);
  f("MacAddress", config.mac_address, Omit::Empty);
  null_when_empty(f, "OnBuild", config.on_build);
  f("Labels", config.labels);
  f("StopSignal", config.stop_signal, Omit::Empty);
  f("StopTimeout", config.stop_timeout, Omit::Empty);
  string_or_list(f, "Shell", config.shell, Omit::Empty);
}

void describe(json::Fields& f, LogConfig& config) {
  f("Type", config.type);
  f("Config", config.config);
}

void describe(json::Fields& f, RestartPolicy& policy) {
  f("Name", policy.name);
  f("MaximumRetryCount", policy.maximum_retry_count);
}

void describe(json::Fields& f, PortBinding& binding) {
  f("HostIp", binding.host_ip);
  f("HostPort", binding.host_port);
}

void describe(json::Fields& f, WeightDevice& device) {
  f("Path", device.path);
  f("Weight", device.weight);
}

void describe(json::Fields& f, ThrottleDevice& device) {
  f("Path", device.path);
  f("Rate", device.rate);
}

void describe(json::Fields& f, DeviceMapping& device) {
  f("PathOnHost", device.path_on_host);
  f("PathInContainer", device.path_in_container);
  f("CgroupPermissions", device.cgroup_permissions);
}

void describe(json::Fields& f, DeviceRequest& request) {
  f("Driver", request.driver);
  f("Count", request.count);
  null_when_empty(f, "DeviceIDs", request.device_ids);
  f("Capabilities", request.capabilities);
  f("Options", request.options);
}

void describe(json::Fields& f, Ulimit& limit) {
  f("Name", limit.name);
  f("Hard", limit.hard);
  f("Soft", limit.soft);
}

void describe(json::Fields& f, Resources& resources) {
  f("CpuShares", resources.cpu_shares);
  f("Memory", resources.memory);
  f("NanoCpus", resources.nano_cpus);
  f("CgroupParent", resources.cgroup_parent);
  f("BlkioWeight", resources.blkio_weight);
  f("BlkioWeightDevice", resources.blkio_weight_device);
  f("BlkioDeviceReadBps", resources.blkio_device_read_bps);
  f("BlkioDeviceWriteBps", resources.blkio_device_write_bps);
  f("BlkioDeviceReadIOps", resources.blkio_device_read_iops);
  f("BlkioDeviceWriteIOps", resources.blkio_device_write_iops);
  f("CpuPeriod", resources.cpu_period);
  f("CpuQuota", resources.cpu_quota);
  f("CpuRealtimePeriod", resources.cpu_realtime_period);
  f("CpuRealtimeRuntime", resources.cpu_realtime_runtime);
  f("CpusetCpus", resources.cpuset_cpus);
  f("CpusetMems", resources.cpuset_mems);
  f("Devices", resources.devices);
  null_when_empty(f, "DeviceCgroupRules", resources.device_cgroup_rules);
  null_when_empty(f, "DeviceRequests", resources.device_requests);
  f("KernelMemory", resources.kernel_memory, Omit::Empty);
  f("KernelMemoryTCP", resources.kernel_memory_tcp, Omit::Empty);
  f("MemoryReservation", resources.memory_reservation);
  f("MemorySwap", resources.memory_swap);
  f("MemorySwappiness", resources.memory_swappiness);
  f("OomKillDisable", resources.oom_kill_disable);
  f("PidsLimit", resources.pids_limit);
  f("Ulimits", resources.ulimits);
  f("CpuCount", resources.cpu_count);
  f("CpuPercent", resources.cpu_percent);
  f("IOMaximumIOps", resources.io_maximum_iops);
  f("IOMaximumBandwidth", resources.io_maximum_bandwidth);
}

void describe(json::Fields& f, BindOptions& options) {
  f("Propagation", options.propagation, Omit::Empty);
  f("NonRecursive", options.non_recursive, Omit::Empty);
  f("CreateMountpoint", options.create_mountpoint, Omit::Empty);
  f("ReadOnlyNonRecursive", options.read_only_non_recursive, Omit::Empty);
  f("ReadOnlyForceRecursive", options.read_only_force_recursive, Omit::Empty);
}

void describe(json::Fields& f, DriverConfig& config) {
  f("Name", config.name, Omit::Empty);
  f("Options", config.options, Omit::Empty);
}

void describe(json::Fields& f, VolumeOptions& options) {
  f("NoCopy", options.no_copy, Omit::Empty);
  f("Labels", options.labels, Omit::Empty);
  f("Subpath", options.subpath, Omit::Empty);
  f("DriverConfig", options.driver_config, Omit::Empty);
}

void describe(json::Fields& f, ImageOptions& options) { f("Subpath", options.subpath, Omit::Empty); }

void describe(json::Fields& f, TmpfsOptions& options) {
  f("SizeBytes", options.size_bytes, Omit::Empty);
  f("Mode", options.mode, Omit::Empty);
  f("Options", options.options, Omit::Empty);
}

void describe(json::Fields& f, MountRequest& mount) {
  f("Type", mount.type, Omit::Empty);
  f("Source", mount.source, Omit::Empty);
  f("Target", mount.target, Omit::Empty);
  f("ReadOnly", mount.read_only, Omit::Empty);
  f("Consistency", mount.consistency, Omit::Empty);
  f("BindOptions", mount.bind_options, Omit::Empty);
  f("VolumeOptions", mount.volume_options, Omit::Empty);
  f("ImageOptions", mount.image_options, Omit::Empty);
  f("TmpfsOptions", mount.tmpfs_options, Omit::Empty);
}

void describe(json::Fields& f, HostConfig& config) {
  null_when_empty(f, "Binds", config.binds);
  f("ContainerIDFile", config.container_id_file);
  f("LogConfig", config.log_config);
  f("NetworkMode", config.network_mode);
  null_elements_when_empty(f, "PortBindings", config.port_bindings);
  f("RestartPolicy", config.restart_policy);
  f("AutoRemove", config.auto_remove);
  f("VolumeDriver", config.volume_driver);
  null_when_empty(f, "VolumesFrom", config.volumes_from);
  f("ConsoleSize", config.console_size);
  f("Annotations", config.annotations, Omit::Empty);
  null_when_empty(f, "CapAdd", config.cap_add);
  null_when_empty(f, "CapDrop", config.cap_drop);
  f("CgroupnsMode", config.cgroupns_mode);
  f("Dns", config.dns);
  f("DnsOptions", config.dns_options);
  f("DnsSearch", config.dns_search);
  null_when_empty(f, "ExtraHosts", config.extra_hosts);
  null_when_empty(f, "GroupAdd", config.group_add);
  f("IpcMode", config.ipc_mode);
  f("Cgroup", config.cgroup);
  null_when_empty(f, "Links", config.links);
  f("OomScoreAdj", config.oom_score_adj);
  f("PidMode", config.pid_mode);
  f("Privileged", config.privileged);
  f("PublishAllPorts", config.publish_all_ports);
  f("ReadonlyRootfs", config.readonly_rootfs);
  null_when_empty(f, "SecurityOpt", config.security_opt);
  f("StorageOpt", config.storage_opt, Omit::Empty);
  f("Tmpfs", config.tmpfs, Omit::Empty);
  f("UTSMode", config.uts_mode);
  f("UsernsMode", config.userns_mode);
  f("ShmSize", config.shm_size);
  f("Sysctls", config.sysctls, Omit::Empty);
  f("Runtime", config.runtime, Omit::Empty);
  f("Isolation", config.isolation);
  describe(f, config.resources);
  f("Mounts", config.mounts, Omit::Empty);
  f("MaskedPaths", config.masked_paths);
  f("ReadonlyPaths", config.readonly_paths);
  f("Init", config.init, Omit::Empty);
}

void describe(json::Fields& f, NetworkingConfig& config) { f("EndpointsConfig", config.endpoints_config); }

void describe(json::Fields& f, ContainerCreate& request) {
  describe(f, request.config);
  f("HostConfig", request.host_config);
  f("NetworkingConfig", request.networking_config);
}

void describe(json::Fields& f, ContainerUpdate& request) {
  describe(f, request.resources);
  f("RestartPolicy", request.restart_policy, Omit::Empty);
}

}  // namespace skiff::spec::docker
