#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "network/firewall.h"
#include "network/ports.h"
#include "spec/engine_config.h"
#include "sys/fd.h"
#include "sys/net/address.h"

namespace skiff::network {

struct BridgeDefinition {
  std::string link;
  sys::Prefix address;  ///< the gateway in its subnet
  int mtu = 0;
};

struct PlugRequest {
  std::string host_link;  ///< name of the end on the bridge
  std::string interface;  ///< name in the container
  BridgeDefinition bridge;
  std::string mac;  ///< six bytes
  sys::Prefix address;
  bool default_route = false;
  bool isolated = false;  ///< icc=false: cannot talk to other isolated ports
};

/// Everything that the network service asks of the kernel. A seam: unit tests put a fake here. Thread-safe.
class Kernel {
 public:
  static Result<std::unique_ptr<Kernel>> open(const spec::EngineConfig& config);
  virtual ~Kernel() = default;

  /// Subnets that the host already routes somewhere other than over `own` links.
  virtual Result<std::vector<sys::Prefix>> routes(const std::vector<std::string>& own) = 0;
  /// The first IPv4 address of a link, or nothing when there is no such bridge.
  virtual Result<std::optional<sys::Prefix>> bridge_address(const std::string& link) = 0;
  /// Makes the bridge, or brings one that stands in line. Internal: "existing interface x is not a bridge".
  virtual Result<void> ensure_bridge(const BridgeDefinition& bridge) = 0;
  /// Removes a bridge that ensure_bridge() made; one that was there before stays. Fine if it is gone.
  virtual Result<void> remove_bridge(const std::string& link) = 0;
  virtual Result<void> remove_link(const std::string& link) = 0;  ///< fine if it is gone
  /// Names of the veths on those of these bridges that ensure_bridge() made.
  virtual Result<std::vector<std::string>> ports_of(const std::vector<std::string>& bridges) = 0;

  virtual Result<void> plug(const PlugRequest& request, const sys::Fd& network_namespace) = 0;
  /// Makes a gateway the way out, if there is none.
  virtual Result<void> add_default_route(const std::string& interface, sys::Ipv4 gateway,
                                         const sys::Fd& network_namespace) = 0;

  virtual Result<void> rebuild_firewall(const std::vector<firewall::Bridge>& bridges,
                                        const std::vector<PublishedPort>& ports) = 0;
  virtual Result<void> change_firewall(const std::function<void(sys::NftBatch&)>& change) = 0;
  virtual Result<void> remove_firewall() = 0;

  virtual Result<sys::Fd> bind_port(const std::string& protocol, sys::Ipv4 address, std::uint16_t port) = 0;
  /// A UDP and a listening TCP socket on 127.0.0.11 of the namespace, with port 53 led to them.
  virtual Result<std::vector<sys::Fd>> open_dns(const sys::Fd& network_namespace) = 0;
};

}  // namespace skiff::network
