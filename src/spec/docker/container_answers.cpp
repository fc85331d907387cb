#include "spec/docker/container.h"

/// What is told about containers.
namespace skiff::spec::docker {

using json::Omit;

void describe(json::Fields& f, ContainerCreated& answer) {
  f("Id", answer.id);
  f("Warnings", answer.warnings);
}

void describe(json::Fields& f, HealthResult& result) {
  f("Start", result.start);
  f("End", result.end);
  f("ExitCode", result.exit_code);
  f("Output", result.output);
}

void describe(json::Fields& f, Health& health) {
  f("Status", health.status);
  f("FailingStreak", health.failing_streak);
  f("Log", health.log);
}

void describe(json::Fields& f, ContainerState& state) {
  f("Status", state.status);
  f("Running", state.running);
  f("Paused", state.paused);
  f("Restarting", state.restarting);
  f("OOMKilled", state.oom_killed);
  f("Dead", state.dead);
  f("Pid", state.pid);
  f("ExitCode", state.exit_code);
  f("Error", state.error);
  f("StartedAt", state.started_at);
  f("FinishedAt", state.finished_at);
  f("Health", state.health, Omit::Empty);
}

void describe(json::Fields& f, MountPoint& mount) {
  f("Type", mount.type, Omit::Empty);
  f("Name", mount.name, Omit::Empty);
  f("Source", mount.source);
  f("Destination", mount.destination);
  f("Driver", mount.driver, Omit::Empty);
  f("Mode", mount.mode);
  f("RW", mount.rw);
  f("Propagation", mount.propagation);
}

void describe(json::Fields& f, GraphDriver& driver) {
  null_when_empty(f, "Data", driver.data);
  f("Name", driver.name);
}

void describe(json::Fields& f, NetworkSettings& settings) {
  f("Bridge", settings.bridge);
  f("SandboxID", settings.sandbox_id);
  f("SandboxKey", settings.sandbox_key);
  null_elements_when_empty(f, "Ports", settings.ports);
  f("HairpinMode", settings.hairpin_mode);
  f("LinkLocalIPv6Address", settings.link_local_ipv6_address);
  f("LinkLocalIPv6PrefixLen", settings.link_local_ipv6_prefix_len);
  // Two lists that no engine fills any more, but that clients of all ages expect to see.
  for (const auto* name : {"SecondaryIPAddresses", "SecondaryIPv6Addresses"})
    if (!f.reading()) f.object().insert_or_assign(name, nullptr);
  f("EndpointID", settings.endpoint_id);
  f("Gateway", settings.gateway);
  f("GlobalIPv6Address", settings.global_ipv6_address);
  f("GlobalIPv6PrefixLen", settings.global_ipv6_prefix_len);
  f("IPAddress", settings.ip_address);
  f("IPPrefixLen", settings.ip_prefix_len);
  f("IPv6Gateway", settings.ipv6_gateway);
  f("MacAddress", settings.mac_address);
  f("Networks", settings.networks);
}

void describe(json::Fields& f, ContainerInspect& container) {
  f("Id", container.id);
  f("Created", container.created);
  f("Path", container.path);
  f("Args", container.args);
  f("State", container.state);
  f("Image", container.image);
  f("ResolvConfPath", container.resolv_conf_path);
  f("HostnamePath", container.hostname_path);
  f("HostsPath", container.hosts_path);
  f("LogPath", container.log_path);
  f("Name", container.name);
  f("RestartCount", container.restart_count);
  f("Driver", container.driver);
  f("Platform", container.platform);
  f("MountLabel", container.mount_label);
  f("ProcessLabel", container.process_label);
  f("AppArmorProfile", container.apparmor_profile);
  null_when_empty(f, "ExecIDs", container.exec_ids);
  f("HostConfig", container.host_config);
  f("GraphDriver", container.graph_driver);
  f("SizeRw", container.size_rw, Omit::Empty);
  f("SizeRootFs", container.size_root_fs, Omit::Empty);
  f("Mounts", container.mounts);
  f("Config", container.config);
  f("NetworkSettings", container.network_settings);
}

void describe(json::Fields& f, Port& port) {
  f("IP", port.ip, Omit::Empty);
  f("PrivatePort", port.private_port);
  f("PublicPort", port.public_port, Omit::Empty);
  f("Type", port.type);
}

void describe(json::Fields& f, SummaryHostConfig& config) {
  f("NetworkMode", config.network_mode, Omit::Empty);
  f("Annotations", config.annotations, Omit::Empty);
}

void describe(json::Fields& f, SummaryNetworkSettings& settings) { f("Networks", settings.networks); }

void describe(json::Fields& f, ContainerSummary& container) {
  f("Id", container.id);
  f("Names", container.names);
  f("Image", container.image);
  f("ImageID", container.image_id);
  f("Command", container.command);
  f("Created", container.created);
  f("Ports", container.ports);
  f("SizeRw", container.size_rw, Omit::Empty);
  f("SizeRootFs", container.size_root_fs, Omit::Empty);
  f("Labels", container.labels);
  f("State", container.state);
  f("Status", container.status);
  f("HostConfig", container.host_config);
  f("NetworkSettings", container.network_settings);
  f("Mounts", container.mounts);
}

void describe(json::Fields& f, TopResponse& answer) {
  f("Processes", answer.processes);
  f("Titles", answer.titles);
}

void describe(json::Fields& f, WaitError& error) { f("Message", error.message); }

void describe(json::Fields& f, WaitResponse& answer) {
  f("Error", answer.error, Omit::Empty);
  f("StatusCode", answer.status_code);
}

void describe(json::Fields& f, FileChange& change) {
  f("Path", change.path);
  f("Kind", change.kind);
}

void describe(json::Fields& f, PathStat& stat) {
  f("name", stat.name);
  f("size", stat.size);
  f("mode", stat.mode);
  f("mtime", stat.mtime);
  f("linkTarget", stat.link_target);
}

void describe(json::Fields& f, ContainerPruneReport& report) {
  null_when_empty(f, "ContainersDeleted", report.containers_deleted);
  f("SpaceReclaimed", report.space_reclaimed);
}

}  // namespace skiff::spec::docker
