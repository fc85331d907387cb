#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

/// The Engine API's networks.
namespace skiff::spec::docker {

struct IpamConfig {
  std::string subnet;
  std::string ip_range;
  std::string gateway;
  std::map<std::string, std::string> auxiliary_addresses;
};

struct Ipam {
  std::string driver = "default";
  std::optional<std::map<std::string, std::string>> options;
  std::vector<IpamConfig> config;
};

/// A container as a network's inspect shows it.
struct NetworkContainer {
  std::string name;
  std::string endpoint_id;
  std::string mac_address;
  std::string ipv4_address;  ///< with prefix length
  std::string ipv6_address;
};

/// One of GET /networks, and GET /networks/{id}.
struct NetworkInspect {
  std::string name;
  std::string id;
  Time created{};
  std::string scope = "local";
  std::string driver;
  bool enable_ipv4 = true;
  bool enable_ipv6 = false;
  Ipam ipam;
  bool internal = false;
  bool attachable = false;
  bool ingress = false;
  std::string config_from;
  bool config_only = false;
  std::map<std::string, NetworkContainer> containers;  ///< by container id
  std::map<std::string, std::string> options;
  std::map<std::string, std::string> labels;
};

/// Body of POST /networks/create.
struct NetworkCreate {
  std::string name;
  std::string driver;
  std::string scope;
  std::optional<bool> enable_ipv4;
  std::optional<bool> enable_ipv6;
  std::optional<Ipam> ipam;
  bool internal = false;
  bool attachable = false;
  bool ingress = false;
  bool config_only = false;
  std::string config_from;
  std::map<std::string, std::string> options;
  std::map<std::string, std::string> labels;
  std::optional<bool> check_duplicate;
};

struct NetworkCreated {
  std::string id;
  std::string warning;
};

struct EndpointIpamConfig {
  std::string ipv4_address;
  std::string ipv6_address;
  std::vector<std::string> link_local_ips;
};

/// A container's end on one network: what is wished for and what it got.
struct EndpointSettings {
  std::optional<EndpointIpamConfig> ipam_config;
  std::vector<std::string> links;
  std::vector<std::string> aliases;
  std::string mac_address;
  std::map<std::string, std::string> driver_opts;
  int gw_priority = 0;
  std::string network_id;
  std::string endpoint_id;
  std::string gateway;
  std::string ip_address;
  int ip_prefix_len = 0;
  std::string ipv6_gateway;
  std::string global_ipv6_address;
  int global_ipv6_prefix_len = 0;
  std::vector<std::string> dns_names;
};

/// Body of POST /networks/{id}/connect.
struct NetworkConnect {
  std::string container;
  std::optional<EndpointSettings> endpoint_config;
};

/// Body of POST /networks/{id}/disconnect.
struct NetworkDisconnect {
  std::string container;
  bool force = false;
};

struct NetworkPruneReport {
  std::vector<std::string> networks_deleted;
};

void describe(json::Fields& f, IpamConfig& config);
void describe(json::Fields& f, Ipam& ipam);
void describe(json::Fields& f, NetworkContainer& container);
void describe(json::Fields& f, NetworkInspect& network);
void describe(json::Fields& f, NetworkCreate& request);
void describe(json::Fields& f, NetworkCreated& answer);
void describe(json::Fields& f, EndpointIpamConfig& config);
void describe(json::Fields& f, EndpointSettings& endpoint);
void describe(json::Fields& f, NetworkConnect& request);
void describe(json::Fields& f, NetworkDisconnect& request);
void describe(json::Fields& f, NetworkPruneReport& report);

}  // namespace skiff::spec::docker
