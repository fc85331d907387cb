#include "base/strings.h"
#include "cli/container_options.h"
#include "cli/specs/mounts.h"
#include "cli/specs/values.h"

/// The flag table of run and create. Help sorts it; here it stands by subject.
namespace skiff::cli {

void ContainerOptions::add_to(FlagSet& flags) {
  flags.stop_at_first_argument();
  add_basic_flags(flags);
  add_resource_flags(flags);
  add_network_flags(flags);
  add_storage_flags(flags);
  add_security_flags(flags);
  add_health_flags(flags);
}

void ContainerOptions::add_basic_flags(FlagSet& flags) {
  static bool help = false;
  flags.boolean(help, "help", 0, "Print usage");
  flags.list(attach, "attach", 'a', "Attach to STDIN, STDOUT or STDERR", check_attach_stream);
  flags.string(cid_file, "cidfile", 0, "Write the container ID to the file");
  flags.string(entrypoint_, "entrypoint", 0, "Overwrite the default ENTRYPOINT of the image");
  flags.list(env_, "env", 'e', "Set environment variables", check_env);
  flags.list(env_files_, "env-file", 0, "Read in a file of environment variables");
  flags.string(hostname_, "hostname", 'h', "Container host name");
  flags.string(domainname_, "domainname", 0, "Container NIS domain name");
  flags.boolean(init_, "init", 0,
                "Run an init inside the container that forwards signals and reaps processes");
  flags.boolean(interactive, "interactive", 'i', "Keep STDIN open even if not attached");
  flags.string(isolation_, "isolation", 0, "Container isolation technology");
  flags.list(labels_, "label", 'l', "Set meta data on a container", check_label);
  flags.list(label_files_, "label-file", 0, "Read in a line delimited file of labels");
  flags.map(annotations_, "annotation", 0,
            "Add an annotation to the container (passed through to the OCI runtime)");
  flags.string(log_driver_, "log-driver", 0, "Logging driver for the container");
  flags.list(log_opt_, "log-opt", 0, "Log driver options");
  flags.string(name, "name", 0, "Assign a name to the container");
  flags.string(platform, "platform", 0, "Set platform if server is multi-platform capable");
  flags.boolean(quiet, "quiet", 'q', "Suppress the pull output");
  static bool no_trust = true;
  flags.boolean(no_trust, "disable-content-trust", 0, "Skip image verification");
  flags.string(restart_, "restart", 0, "Restart policy to apply when a container exits");
  flags.boolean(auto_remove, "rm", 0,
                "Automatically remove the container and its associated anonymous volumes when it exits");
  flags.string(runtime_, "runtime", 0, "Runtime to use for this container");
  flags.string(stop_signal_, "stop-signal", 0, "Signal to stop the container");
  flags.integer(stop_timeout_, "stop-timeout", 0, "Timeout (in seconds) to stop a container");
  flags.boolean(tty, "tty", 't', "Allocate a pseudo-TTY");
  flags.string(user_, "user", 'u', "Username or UID (format: <name|uid>[:<group|gid>])");
  flags.string(workdir_, "workdir", 'w', "Working directory inside the container");
}

void ContainerOptions::add_resource_flags(FlagSet& flags) {
  auto& r = resources_;
  flags
      .custom("uint16", "blkio-weight", 0, "Block IO (relative weight), between 10 and 1000, or 0 to disable",
              [&r](std::string_view text) -> Result<void> {
                r.blkio_weight = static_cast<std::uint16_t>(TRY(parse_go_uint(text, 16)));
                return {};
              })
      .show_default("0");
  flags
      .custom("list", "blkio-weight-device", 0, "Block IO weight (relative device weight)",
              [&r](std::string_view text) -> Result<void> {
                r.blkio_weight_device.push_back(TRY(parse_weight_device(text)));
                return {};
              })
      .show_default("[]");
  const auto throttle = [&](std::string_view flag, std::string_view usage,
                            std::vector<spec::docker::ThrottleDevice>& target, bool plain) {
    flags
        .custom("list", flag, 0, usage,
                [&target, plain](std::string_view text) -> Result<void> {
                  target.push_back(TRY(parse_throttle_device(text, plain)));
                  return {};
                })
        .show_default("[]");
  };
  throttle("device-read-bps", "Limit read rate (bytes per second) from a device", r.blkio_device_read_bps,
           false);
  throttle("device-read-iops", "Limit read rate (IO per second) from a device", r.blkio_device_read_iops,
           true);
  throttle("device-write-bps", "Limit write rate (bytes per second) to a device", r.blkio_device_write_bps,
           false);
  throttle("device-write-iops", "Limit write rate (IO per second) to a device", r.blkio_device_write_iops,
           true);
  flags.string(cgroup_parent_, "cgroup-parent", 0, "Optional parent cgroup for the container");
  flags.integer(r.cpu_period, "cpu-period", 0, "Limit CPU CFS (Completely Fair Scheduler) period");
  flags.integer(r.cpu_quota, "cpu-quota", 0, "Limit CPU CFS (Completely Fair Scheduler) quota");
  flags.integer(r.cpu_realtime_period, "cpu-rt-period", 0, "Limit CPU real-time period in microseconds");
  flags.integer(r.cpu_realtime_runtime, "cpu-rt-runtime", 0, "Limit CPU real-time runtime in microseconds");
  flags.integer(r.cpu_shares, "cpu-shares", 'c', "CPU shares (relative weight)");
  flags.custom("decimal", "cpus", 0, "Number of CPUs", [&r](std::string_view text) -> Result<void> {
    r.nano_cpus = TRY(parse_cpus(text));
    return {};
  });
  flags.string(r.cpuset_cpus, "cpuset-cpus", 0, "CPUs in which to allow execution (0-3, 0,1)");
  flags.string(r.cpuset_mems, "cpuset-mems", 0, "MEMs in which to allow execution (0-3, 0,1)");
  flags.string(gpus_, "gpus", 0, "GPU devices to add to the container ('all' to pass all GPUs)",
               "gpu-request");
  flags.bytes(r.kernel_memory, "kernel-memory", 0, "Kernel memory limit");
  flags.bytes(r.memory, "memory", 'm', "Memory limit");
  flags.bytes(r.memory_reservation, "memory-reservation", 0, "Memory soft limit");
  flags.bytes(r.memory_swap, "memory-swap", 0,
              "Swap limit equal to memory plus swap: '-1' to enable unlimited swap", true);
  flags.integer(swappiness_, "memory-swappiness", 0, "Tune container memory swappiness (0 to 100)");
  flags.boolean(oom_kill_disable_, "oom-kill-disable", 0, "Disable OOM Killer");
  flags.integer(oom_score_, "oom-score-adj", 0, "Tune host's OOM preferences (-1000 to 1000)");
  flags.integer(pids_limit_, "pids-limit", 0, "Tune container pids limit (set -1 for unlimited)");
  flags.bytes(shm_size_, "shm-size", 0, "Size of /dev/shm");
  flags
      .custom("ulimit", "ulimit", 0, "Ulimit options",
              [this](std::string_view text) -> Result<void> {
                ulimits_.push_back(TRY(parse_ulimit(text)));
                return {};
              })
      .show_default("[]");
}

void ContainerOptions::add_network_flags(FlagSet& flags) {
  flags.list(extra_hosts_, "add-host", 0, "Add a custom host-to-IP mapping (host:ip)", check_extra_host);
  flags.list(dns_, "dns", 0, "Set custom DNS servers", check_ip_address);
  flags.list(dns_options_, "dns-opt", 0, "Set DNS options").hide();
  flags.list(dns_options_, "dns-option", 0, "Set DNS options");
  flags.list(dns_search_, "dns-search", 0, "Set custom DNS search domains", check_dns_search);
  flags.list(expose_, "expose", 0, "Expose a port or a range of ports");
  flags.string(ip_, "ip", 0, "IPv4 address (e.g., 172.30.100.104)");
  flags.string(ip6_, "ip6", 0, "IPv6 address (e.g., 2001:db8::33)");
  flags.list(links_, "link", 0, "Add link to another container");
  flags.list(link_local_ips_, "link-local-ip", 0, "Container IPv4/IPv6 link-local addresses",
             check_ip_address);
  flags.string(mac_, "mac-address", 0, "Container MAC address (e.g., 92:d0:c6:0a:29:33)");
  const auto network = [this](std::string_view text) -> Result<void> {
    networks_.push_back(TRY(parse_network(text)));
    return {};
  };
  flags.custom("network", "network", 0, "Connect a container to a network", network);
  flags.custom("network", "net", 0, "Connect a container to a network", network).hide();
  flags.list(network_aliases_, "network-alias", 0, "Add network-scoped alias for the container");
  flags.list(network_aliases_, "net-alias", 0, "Add network-scoped alias for the container").hide();
  flags.list(publish_, "publish", 'p', "Publish a container's port(s) to the host");
  flags.boolean(publish_all_, "publish-all", 'P', "Publish all exposed ports to random ports");
}

void ContainerOptions::add_storage_flags(FlagSet& flags) {
  flags.custom("mount", "mount", 0, "Attach a filesystem mount to the container",
               [this](std::string_view text) -> Result<void> {
                 mounts_.push_back(TRY(parse_mount(text)));
                 return {};
               });
  flags.boolean(read_only_, "read-only", 0, "Mount the container's root filesystem as read only");
  flags.list(storage_opt_, "storage-opt", 0, "Storage driver options for the container");
  flags.list(tmpfs_, "tmpfs", 0, "Mount a tmpfs directory");
  flags.list(volumes_, "volume", 'v', "Bind mount a volume");
  flags.string(volume_driver_, "volume-driver", 0, "Optional volume driver for the container");
  flags.list(volumes_from_, "volumes-from", 0, "Mount volumes from the specified container(s)");
}

void ContainerOptions::add_security_flags(FlagSet& flags) {
  flags.list(cap_add_, "cap-add", 0, "Add Linux capabilities");
  flags.list(cap_drop_, "cap-drop", 0, "Drop Linux capabilities");
  flags.string(cgroupns_, "cgroupns", 0,
               "Cgroup namespace to use (host|private)\n"
               "'host':    Run the container in the Docker host's cgroup namespace\n"
               "'private': Run the container in its own private cgroup namespace\n"
               "'':        Use the cgroup namespace as configured by the\n"
               "           default-cgroupns-mode option on the daemon (default)");
  flags.list(devices_, "device", 0, "Add a host device to the container");
  flags.list(device_rules_, "device-cgroup-rule", 0, "Add a rule to the cgroup allowed devices list",
             check_device_rule);
  flags.list(group_add_, "group-add", 0, "Add additional groups to join");
  flags.string(ipc_, "ipc", 0, "IPC mode to use");
  flags.string(pid_, "pid", 0, "PID namespace to use");
  flags.boolean(privileged_, "privileged", 0, "Give extended privileges to this container");
  flags.list(security_opt_, "security-opt", 0, "Security Options");
  flags.map(sysctls_, "sysctl", 0, "Sysctl options", check_sysctl);
  flags.string(userns_, "userns", 0, "User namespace to use");
  flags.string(uts_, "uts", 0, "UTS namespace to use");
}

void ContainerOptions::add_health_flags(FlagSet& flags) {
  flags.string(health_command_, "health-cmd", 0, "Command to run to check health");
  flags.string(
      health_http_, "health-http", 0,
      "Check health by a GET request ([http://ADDRESS][:PORT][/PATH]), without a program of the image");
  flags.duration(health_interval_, "health-interval", "Time between running the check (ms|s|m|h)");
  flags.integer(health_retries_, "health-retries", 0, "Consecutive failures needed to report unhealthy");
  flags.duration(health_start_interval_, "health-start-interval",
                 "Time between running the check during the start period (ms|s|m|h)");
  flags.duration(
      health_start_period_, "health-start-period",
      "Start period for the container to initialize before starting health-retries countdown (ms|s|m|h)");
  flags.string(health_tcp_, "health-tcp", 0,
               "Check health by a connection ([ADDRESS:]PORT), without a program of the image");
  flags.duration(health_timeout_, "health-timeout", "Maximum time to allow one check to run (ms|s|m|h)");
  flags.integer(restart_unhealthy_, "restart-unhealthy", 0,
                "Restart when it turns unhealthy, at most so often until it is healthy again");
  flags.boolean(no_health_, "no-healthcheck", 0, "Disable any container-specified HEALTHCHECK");
}

}  // namespace skiff::cli
