#pragma once

#include <cstdint>
#include <functional>
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
  std::string host_address;     ///< "" for all
  std::uint16_t host_port = 0;  ///< 0: any free one; host_port_end > host_port: the first free of the range
  std::uint16_t host_port_end = 0;
};

struct EndpointRequest {
  std::string network;  ///< id or name
  std::string container;
  std::string container_name;
  std::string hostname;  ///< answered by the embedded DNS too; "" for none
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
  std::string container_name;
  std::string interface;  ///< in the container: "eth0"; "" on the networks "host" and "none"
  std::string ipv4;       ///< "172.17.0.2"
  int prefix = 0;
  std::string gateway;
  std::string mac;
  std::vector<std::string> aliases;
  std::vector<std::string> links;
  std::vector<std::string> dns_names;  ///< empty on the default bridge, which has no embedded DNS
  bool internal = false;               ///< no way out: gets no default route
};

/// Networks, addresses, links, names and published ports. Definitions and allocated addresses are kept in the
/// database; links and firewall elements are the kernel's. Thread-safe. Errors use Docker's sentences.
///
/// A container's life here:
///     allocate -> (container's namespace exists) -> plug -> publish -> open_dns -> serve_dns -> ... runs ...
///     -> stop_dns -> unpublish -> unplug -> release
/// What a start has done, a failed start undoes in reverse order; each undoing is idempotent.
class Service {
 public:
  /// Makes or finds the default bridge, the bridges of the other networks and the private firewall table.
  /// Ports that were published when the last daemon died are open again when this returns.
  static Result<std::unique_ptr<Service>> open(const spec::EngineConfig& config, meta::Database& database);
  virtual ~Service() = default;

  virtual Result<std::vector<spec::docker::NetworkInspect>> list() = 0;
  /// By name, id or unique id prefix. NotFound: "network x not found".
  virtual Result<spec::docker::NetworkInspect> inspect(std::string_view name) = 0;
  /// Conflict: name in use. Forbidden: overlapping pool, predefined name. InvalidArgument: malformed request.
  virtual Result<std::string> create(const spec::docker::NetworkCreate& request) = 0;
  /// Forbidden: predefined, or containers are on it.
  virtual Result<void> remove(std::string_view name) = 0;
  /// Removes the user-defined networks without containers that `wanted` accepts (all when null); it is asked
  /// about no others. The names of the removed.
  virtual Result<std::vector<std::string>> prune(
      const std::function<bool(const spec::docker::NetworkInspect&)>& wanted = nullptr) = 0;

  /// Reserves an address for a container on a network: durable, before any link exists. A second call for the
  /// same pair is Forbidden. Networks "host" and "none" give an endpoint without an address.
  virtual Result<Endpoint> allocate(const EndpointRequest& request) = 0;
  /// Gives the address back; nothing to do when there is none. Unplugs what the kernel may still have of it
  /// on the host.
  virtual Result<void> release(const std::string& container, const std::string& network) = 0;
  virtual Result<void> rename(const std::string& container, const std::string& name) = 0;
  /// In the order of allocation.
  virtual Result<std::vector<Endpoint>> endpoints(const std::string& container) = 0;

  /// Puts a veth into the namespace and gives it address and routes. The first endpoint with a gateway
  /// becomes the default route. On "none" and "host" nothing happens: the loopback is the runtime's.
  virtual Result<void> plug(const Endpoint& endpoint, const sys::Fd& network_namespace) = 0;
  /// Takes the link of a live container away again (`network disconnect`). Null when the namespace is gone:
  /// the link went with it, and only the bookkeeping is left.
  virtual Result<void> unplug(const Endpoint& endpoint, const sys::Fd* network_namespace) = 0;

  /// Opens ports for a container's endpoint; the answer has the chosen host ports and addresses. All or none.
  /// Conflict: "driver failed programming external connectivity on endpoint x (id): Bind for 0.0.0.0:80
  /// failed: port is already allocated".
  virtual Result<std::vector<PortBinding>> publish(const Endpoint& endpoint,
                                                   std::vector<PortBinding> ports) = 0;
  virtual Result<void> unpublish(const std::string& container) = 0;
  /// What publish() answered for this container and still holds, after a daemon restart too.
  virtual Result<std::vector<PortBinding>> published(const std::string& container) = 0;

  /// Opens 127.0.0.11's sockets inside the namespace (descriptors for Task::keep) and serves names on them
  /// until stop_dns. Only for containers on user-defined networks (has_dns).
  virtual Result<std::vector<sys::Fd>> open_dns(const std::string& container,
                                                const sys::Fd& network_namespace) = 0;
  /// `servers`: the container's own --dns list; when empty the engine's, then the host's.
  virtual Result<void> serve_dns(const std::string& container, std::vector<sys::Fd> sockets,
                                 const std::vector<std::string>& servers = {}) = 0;
  virtual void stop_dns(const std::string& container) = 0;
  /// Whether containers on this network ask 127.0.0.11: true for user-defined networks.
  virtual bool has_dns(const std::string& network) = 0;
  /// Whether the user chose this network's subnet, so that addresses on it can be wished for.
  virtual bool has_chosen_subnet(const std::string& network) = 0;
  /// The default bridge's own address, which "host-gateway" stands for; "" without a default bridge.
  virtual std::string host_gateway() = 0;

  /// After a daemon restart: brings kernel state in line with what lives, without dropping a connection:
  /// removes links, ports and addresses of containers not in `alive`.
  virtual Result<void> reconcile(const std::vector<std::string>& alive) = 0;
  /// The daemon ends in good order. When no container is plugged, bridges and the firewall table go, so that
  /// a stopped engine leaves nothing in the kernel; with containers running everything stays as it is.
  virtual void shutdown() = 0;
};

}  // namespace skiff::network
