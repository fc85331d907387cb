#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "network/ports.h"
#include "network/service.h"
#include "spec/docker/network.h"

/// What the database keeps, in three tables: networks by id, endpoints by "<container>/<network id>",
/// published ports by container.
namespace skiff::network {

inline constexpr const char* kNetworkTable = "networks";
inline constexpr const char* kEndpointTable = "endpoints";
inline constexpr const char* kPortTable = "ports";

struct NetworkRecord {
  spec::docker::NetworkInspect shown;  ///< without containers
  std::string link;                    ///< the bridge's name in the kernel, "" for host and none
  bool own_subnet = false;             ///< the user chose the subnet, so addresses may be wished for
  std::string gateway;                 ///< chosen here in a subnet of the user's: Docker does not show it
};

struct EndpointRecord {
  Endpoint endpoint;
  std::uint64_t order = 0;  ///< of allocation
};

struct PortRecord {
  std::string network;
  std::vector<PublishedPort> ports;
};

void describe(json::Fields& f, NetworkRecord& record);
void describe(json::Fields& f, Endpoint& endpoint);
void describe(json::Fields& f, EndpointRecord& record);
void describe(json::Fields& f, PublishedPort& port);
void describe(json::Fields& f, PortRecord& record);

}  // namespace skiff::network
