#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/pools.h"
#include "network/records.h"
#include "spec/docker/network.h"
#include "sys/net/address.h"

/// From a request to a network's definition. Pure: nothing here touches the kernel or the database.
namespace skiff::network {

inline constexpr const char* kOptionName = "com.docker.network.bridge.name";
inline constexpr const char* kOptionIcc = "com.docker.network.bridge.enable_icc";
inline constexpr const char* kOptionMasquerade = "com.docker.network.bridge.enable_ip_masquerade";
inline constexpr const char* kOptionHostBinding = "com.docker.network.bridge.host_binding_ipv4";
inline constexpr const char* kOptionDefault = "com.docker.network.bridge.default_bridge";
inline constexpr const char* kOptionMtu = "com.docker.network.driver.mtu";

/// A bridge network's options, read.
struct BridgeOptions {
  std::string link;  ///< "" when not asked for
  bool icc = true;
  bool masquerade = true;
  sys::Ipv4 host_binding;  ///< 0.0.0.0: all
  int mtu = 0;             ///< 0: the engine's
};
/// InvalidArgument: "failed to parse com.docker.network.driver.mtu value: x (...)".
Result<BridgeOptions> read_bridge_options(const std::map<std::string, std::string>& options);

/// A network's addresses, read.
struct Addressing {
  sys::Prefix subnet;
  std::optional<sys::Prefix> range;
  std::optional<sys::Ipv4> gateway;
  std::vector<sys::Ipv4> reserved;  ///< auxiliary addresses
};
/// Reads one IPAM entry. InvalidArgument with Docker's list of what is wrong ("invalid network
/// config:\n...").
Result<Addressing> read_addressing(const spec::docker::IpamConfig& config);

/// What can be said about a request by itself: name, driver, scope, families.
Result<void> check_request(const spec::docker::NetworkCreate& request);

/// "br-" and twelve digits.
std::string default_link_name(const std::string& id);

}  // namespace skiff::network
