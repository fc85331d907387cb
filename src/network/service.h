#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "meta/database.h"
#include "spec/docker/network.h"
#include "spec/engine_config.h"
#include "sys/fd.h"

namespace skiff::network {

struct PortBinding {
  std::string protocol = "tcp";  ///< "tcp", "udp" or "sctp"
  std::uint16_t container_port = 0;
  std::string host_address;      ///< "" for all
  std::uint16_t host_port = 0;   ///< 0: any free one; host_port_end > host_port: the first free of the range
  std::uint16_t host_port_end = 0;
};

struct EndpointRequest {
  std::string network;  ///< id
  std::string container;
  std::string container_name;
  std::vector<std::string> aliases;
  std::vector<std::string> links;  ///< "container:alias"
  std::string ipv4;                ///< wanted address, or ""
  std::string mac;                 ///< wanted, or ""
};

struct Endpoint {
  std::string id;
  std::string network;
  std::string network_name;
  std::string container;
  std::string interface;  ///< in the container: "eth0"
  std::string ipv4;       ///< "172.17.0.2"
  int prefix = 0;
  std::string gateway;
  std::string mac;
  std::vector<std::string> dns_names;
};

/// Networks, addresses, links, names and published ports. Definitions and allocated addresses are kept in the database; links
/// and firewall elements are the kernel's. Thread-safe. Errors use Docker's sentences.
class Service {
 public:
  /// Makes or finds the default bridge and the private firewall table.
  static Result<std::unique_ptr<Service>> open(const spec::EngineConfig& config, meta::Database& database);
  virtual ~Service() = default;

  virtual Result<std::vector<spec::docker::NetworkInspect>> list() = 0;
  /// By name, id or unique id prefix. NotFound: "network x not found".
  virtual Result<spec::docker::NetworkInspect> inspect(std::string_view name) = 0;
  virtual Result<std::string> create(const spec::docker::NetworkCreate& request) = 0;
  virtual Result<void> remove(std::string_view name) = 0;
  virtual Result<std::vector<std::string>> prune() = 0;  ///< names of removed ones

  /// Reserves an address for a container on a network: durable, before any link exists.
  virtual Result<Endpoint> allocate(const EndpointRequest& request) = 0;
  virtual Result<void> release(const std::string& container, const std::string& network) = 0;
  virtual Result<void> rename(const std::string& container, const std::string& name) = 0;
  virtual Result<std::vector<Endpoint>> endpoints(const std::string& container) = 0;

  /// Puts a veth into the namespace and gives it address and routes. The first endpoint with a gateway becomes the default route.
  virtual Result<void> plug(const Endpoint& endpoint, const sys::Fd& network_namespace) = 0;
  /// Takes the link of a live container away again (`network disconnect`); when the namespace is gone there is nothing to do.
  virtual Result<void> unplug(const Endpoint& endpoint, const sys::Fd* network_namespace) = 0;

  /// Opens ports for a container's endpoint; the answer has the chosen host ports. Conflict: "Bind for 0.0.0.0:80 failed: port is already allocated".
  virtual Result<std::vector<PortBinding>> publish(const Endpoint& endpoint, std::vector<PortBinding> ports) = 0;
  virtual Result<void> unpublish(const std::string& container) = 0;

  /// Opens 127.0.0.11's sockets inside the namespace (descriptors for Task::keep) and serves names on them until stop_dns.
  virtual Result<std::vector<sys::Fd>> open_dns(const std::string& container, const sys::Fd& network_namespace) = 0;
  virtual Result<void> serve_dns(const std::string& container, std::vector<sys::Fd> sockets) = 0;
  virtual void stop_dns(const std::string& container) = 0;

  /// After a daemon restart: brings kernel state in line with what lives, without dropping a connection: removes links,
  /// ports and addresses of containers not in `alive`.
  virtual Result<void> reconcile(const std::vector<std::string>& alive) = 0;
};

}  // namespace skiff::network
