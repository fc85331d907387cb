#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/thread.h"
#include "network/definition.h"
#include "network/dns_server.h"
#include "network/kernel.h"
#include "network/names.h"
#include "network/pools.h"
#include "network/ports.h"
#include "network/records.h"
#include "network/service.h"

namespace skiff::network {

/// The service over a Kernel. All definitions, addresses and ports are in memory and written through to the
/// database, so that reading costs nothing; the lock is never held while a container's namespace is worked
/// on.
class ServiceImpl final : public Service {
 public:
  ServiceImpl(spec::EngineConfig config, meta::Database& database, std::unique_ptr<Kernel> kernel);
  /// Reads the database and brings the kernel in line; what open() does after construction.
  Result<void> start();

  Result<std::vector<spec::docker::NetworkInspect>> list() override;
  Result<spec::docker::NetworkInspect> inspect(std::string_view name) override;
  Result<std::string> create(const spec::docker::NetworkCreate& request) override;
  Result<void> remove(std::string_view name) override;
  Result<std::vector<std::string>> prune(
      const std::function<bool(const spec::docker::NetworkInspect&)>& wanted) override;

  Result<Endpoint> allocate(const EndpointRequest& request) override;
  Result<void> release(const std::string& container, const std::string& network) override;
  Result<void> rename(const std::string& container, const std::string& name) override;
  Result<std::vector<Endpoint>> endpoints(const std::string& container) override;

  Result<void> plug(const Endpoint& endpoint, const sys::Fd& network_namespace) override;
  Result<void> unplug(const Endpoint& endpoint, const sys::Fd* network_namespace) override;

  Result<std::vector<PortBinding>> publish(const Endpoint& endpoint, std::vector<PortBinding> ports) override;
  Result<void> unpublish(const std::string& container) override;
  Result<std::vector<PortBinding>> published(const std::string& container) override;

  Result<std::vector<sys::Fd>> open_dns(const std::string& container,
                                        const sys::Fd& network_namespace) override;
  Result<void> serve_dns(const std::string& container, std::vector<sys::Fd> sockets,
                         const std::vector<std::string>& servers) override;
  void stop_dns(const std::string& container) override;
  bool has_dns(const std::string& network) override;
  bool has_chosen_subnet(const std::string& network) override;
  std::string host_gateway() override;

  Result<void> reconcile(const std::vector<std::string>& alive) override;
  void shutdown() override;

 private:
  struct Network {
    NetworkRecord record;
    BridgeOptions options;
    AddressSpace space;
    sys::Ipv4 gateway;
    bool is_bridge() const { return record.shown.driver == "bridge"; }
  };
  struct Seat {
    EndpointRecord record;
    bool plugged = false;
  };
  using SeatKey = std::pair<std::string, std::string>;  ///< container, network

  // service_networks.cpp
  Result<void> load() REQUIRES(mutex_);
  Result<void> add_predefined() REQUIRES(mutex_);
  Result<void> add_default_bridge() REQUIRES(mutex_);
  Result<sys::Prefix> default_bridge_address(const Network* known) REQUIRES(mutex_);
  Result<void> read_network(NetworkRecord record) REQUIRES(mutex_);
  Result<Network*> find(std::string_view name) REQUIRES(mutex_);
  Network* default_bridge() REQUIRES(mutex_);
  std::vector<sys::Prefix> subnets() REQUIRES(mutex_);
  std::vector<std::string> links() REQUIRES(mutex_);
  Result<sys::Prefix> choose_subnet() REQUIRES(mutex_);
  Result<NetworkRecord> define(const spec::docker::NetworkCreate& request) REQUIRES(mutex_);
  Result<void> check_link(const NetworkRecord& record) REQUIRES(mutex_);
  Result<void> remove_network(const std::string& id) REQUIRES(mutex_);
  spec::docker::NetworkInspect shown(const Network& network) REQUIRES(mutex_);
  BridgeDefinition bridge_of(const Network& network) const;
  static firewall::Bridge firewall_of(const Network& network);
  Result<void> rebuild_firewall() REQUIRES(mutex_);
  /// Changes elements; when the table is not as it should be (somebody flushed it), makes it whole again
  /// instead.
  Result<void> change_firewall(const std::function<void(sys::NftBatch&)>& change) REQUIRES(mutex_);

  // service_endpoints.cpp
  Result<void> take_address(Network& network, const EndpointRequest& request, Endpoint& endpoint)
      REQUIRES(mutex_);
  std::string free_interface(const std::string& container) REQUIRES(mutex_);
  Result<void> erase_seat(const SeatKey& key) REQUIRES(mutex_);
  Result<void> erase_ports(const std::string& container) REQUIRES(mutex_);
  void mark(const Endpoint& endpoint, bool plugged) REQUIRES(mutex_);

  Result<void> put(const char* table, const std::string& key, const std::string& record,
                   meta::Durability durability);
  Result<void> erase(const char* table, const std::string& key, meta::Durability durability);

  spec::EngineConfig config_;
  meta::Database& database_;
  std::unique_ptr<Kernel> kernel_;
  Names names_;
  DnsServer dns_{names_};

  Mutex mutex_;
  std::map<std::string, Network> networks_ GUARDED_BY(mutex_);
  std::map<SeatKey, Seat> seats_ GUARDED_BY(mutex_);
  std::map<std::string, PortRecord> ports_ GUARDED_BY(mutex_);
  PortReservations reservations_ GUARDED_BY(mutex_);
  std::uint64_t last_order_ GUARDED_BY(mutex_) = 0;
};

/// Name, aliases, short id and host name: what an endpoint is called on a user-defined network.
std::vector<std::string> dns_names(const std::string& container, const std::string& name,
                                   const std::vector<std::string>& aliases, const std::string& hostname);
/// The name of an endpoint's end on the host: "veth" and seven digits.
std::string host_link(const Endpoint& endpoint);
/// The table's name: the configured one, "skiff" for bridge skiff0, else "skiff-<bridge>".
std::string firewall_table(const spec::EngineConfig& config);

}  // namespace skiff::network
