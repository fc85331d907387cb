#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "spec/layer_limits.h"
#include "spec/registry_settings.h"

namespace skiff::spec {

/// The name of the runtime that is built in.
inline constexpr const char* kOwnRuntime = "skiff";

/// A program registered with the daemon as an OCI runtime (`--add-runtime NAME=PATH`).
struct RuntimeEntry {
  std::string path;
  std::vector<std::string> arguments;
};

struct AddressPool {
  std::string base;  ///< CIDR
  int size = 0;      ///< prefix length of the networks cut from it
};

/// Everything that two engines on one machine, or a rootless one, need different. Made once in main()
/// from flags and daemon.json, and passed down; nothing below reads a path or a name from anywhere else.
struct EngineConfig {
  std::string data_root = "/var/lib/skiff";
  std::string exec_root = "/run/skiff";
  std::vector<std::string> hosts;       ///< "unix:///run/skiff/skiff.sock", "tcp://127.0.0.1:2375"
  std::string pidfile;                  ///< <exec_root>/skiffd.pid when empty
  std::string socket_group = "docker";  ///< owns the unix sockets when the group exists
  std::string bridge = "skiff0";        ///< "none" switches the default network off
  std::string bip;             ///< the bridge's own address as CIDR; chosen from the pools when empty
  std::string firewall_table;  ///< nftables table; "skiff" for bridge skiff0, else "skiff-<bridge>"
  /// systemd makes the cgroups of containers, as transient scopes: `--exec-opt native.cgroupdriver=systemd`.
  bool systemd_cgroups = false;
  /// "skiff" for the default exec root, else "skiff-<hash of it>"; with systemd a slice, "system.slice".
  std::string cgroup_parent;
  bool own_cgroup_parent = false;  ///< nobody named it, so it is ours to remove
  std::string monitor_program;     ///< path of skiff-monitor; found beside skiffd when empty
  std::vector<AddressPool> address_pools;
  std::vector<std::string> dns;  ///< for containers; the host's resolv.conf when empty
  std::vector<std::string> dns_search;
  std::vector<std::string> dns_options;
  std::vector<std::string> labels;               ///< "key=value", shown by info
  std::map<std::string, RuntimeEntry> runtimes;  ///< by name
  std::string default_runtime = kOwnRuntime;
  std::string log_driver = "local";
  std::map<std::string, std::string> log_options;
  /// SSL_CERT_FILE and SSL_CERT_DIR of the daemon's own environment, "NAME=value": whom TLS to log servers
  /// trusts.
  std::vector<std::string> certificate_variables;
  RegistrySettings registries;
  LayerLimits layer_limits = kDefaultLayerLimits;
  std::int64_t image_budget = 0;  ///< bytes that the layers of images may take; 0: no limit
  std::string policy_file;  ///< which images are taken; /etc/skiff/policy.json, if there is one, when empty
  int mtu = 1500;
  bool debug = false;
  std::int64_t max_body_bytes = 16 << 20;  ///< of a JSON request body; more is answered 413
};

/// Whether `parent` can hold cgroups that systemd makes: InvalidArgument in Docker's words for what is no
/// slice. Without systemd, and when it is "", everything can.
Result<void> check_cgroup_parent(const EngineConfig& config, std::string_view parent);
/// linux.cgroupsPath (config-linux.md, "Cgroups Path") of container `id` below `parent`, or below the
/// engine's own when that is "": a path, or "slice:prefix:name" for systemd.
std::string cgroups_path(const EngineConfig& config, std::string_view parent, std::string_view id);

}  // namespace skiff::spec
