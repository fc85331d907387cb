#include "spec/docker/network.h"

#include "spec/json_shape.h"

namespace skiff::spec::docker {

using json::Omit;

namespace {

/// {"Network": "name"}, the shape of ConfigFrom.
struct ConfigReference {
  std::string& network;
};
void describe(json::Fields& f, ConfigReference& reference) { f("Network", reference.network); }

}  // namespace

void describe(json::Fields& f, IpamConfig& config) {
  f("Subnet", config.subnet, Omit::Empty);
  f("IPRange", config.ip_range, Omit::Empty);
  f("Gateway", config.gateway, Omit::Empty);
  f("AuxiliaryAddresses", config.auxiliary_addresses, Omit::Empty);
}

void describe(json::Fields& f, Ipam& ipam) {
  f("Driver", ipam.driver);
  f("Options", ipam.options);
  null_when_empty(f, "Config", ipam.config);
}

void describe(json::Fields& f, NetworkContainer& container) {
  f("Name", container.name);
  f("EndpointID", container.endpoint_id);
  f("MacAddress", container.mac_address);
  f("IPv4Address", container.ipv4_address);
  f("IPv6Address", container.ipv6_address);
}

void describe(json::Fields& f, NetworkInspect& network) {
  f("Name", network.name);
  f("Id", network.id);
  f("Created", network.created);
  f("Scope", network.scope);
  f("Driver", network.driver);
  f("EnableIPv4", network.enable_ipv4);
  f("EnableIPv6", network.enable_ipv6);
  f("IPAM", network.ipam);
  f("Internal", network.internal);
  f("Attachable", network.attachable);
  f("Ingress", network.ingress);
  ConfigReference from{network.config_from};
  f("ConfigFrom", from);
  f("ConfigOnly", network.config_only);
  f("Containers", network.containers);
  f("Options", network.options);
  f("Labels", network.labels);
}

void describe(json::Fields& f, NetworkCreate& request) {
  f("Name", request.name);
  f("CheckDuplicate", request.check_duplicate, Omit::Empty);
  f("Driver", request.driver);
  f("Scope", request.scope);
  f("EnableIPv4", request.enable_ipv4, Omit::Empty);
  f("EnableIPv6", request.enable_ipv6, Omit::Empty);
  f("IPAM", request.ipam);
  f("Internal", request.internal);
  f("Attachable", request.attachable);
  f("Ingress", request.ingress);
  f("ConfigOnly", request.config_only);
  if (f.reading() || !request.config_from.empty()) {
    ConfigReference from{request.config_from};
    f("ConfigFrom", from);
  }
  f("Options", request.options);
  f("Labels", request.labels);
}

void describe(json::Fields& f, NetworkCreated& answer) {
  f("Id", answer.id);
  f("Warning", answer.warning);
}

void describe(json::Fields& f, EndpointIpamConfig& config) {
  f("IPv4Address", config.ipv4_address, Omit::Empty);
  f("IPv6Address", config.ipv6_address, Omit::Empty);
  f("LinkLocalIPs", config.link_local_ips, Omit::Empty);
}

void describe(json::Fields& f, EndpointSettings& endpoint) {
  f("IPAMConfig", endpoint.ipam_config);
  null_when_empty(f, "Links", endpoint.links);
  null_when_empty(f, "Aliases", endpoint.aliases);
  f("MacAddress", endpoint.mac_address);
  null_when_empty(f, "DriverOpts", endpoint.driver_opts);
  f("GwPriority", endpoint.gw_priority);
  f("NetworkID", endpoint.network_id);
  f("EndpointID", endpoint.endpoint_id);
  f("Gateway", endpoint.gateway);
  f("IPAddress", endpoint.ip_address);
  f("IPPrefixLen", endpoint.ip_prefix_len);
  f("IPv6Gateway", endpoint.ipv6_gateway);
  f("GlobalIPv6Address", endpoint.global_ipv6_address);
  f("GlobalIPv6PrefixLen", endpoint.global_ipv6_prefix_len);
  null_when_empty(f, "DNSNames", endpoint.dns_names);
}

void describe(json::Fields& f, NetworkConnect& request) {
  f("Container", request.container);
  f("EndpointConfig", request.endpoint_config, Omit::Empty);
}

void describe(json::Fields& f, NetworkDisconnect& request) {
  f("Container", request.container);
  f("Force", request.force);
}

void describe(json::Fields& f, NetworkPruneReport& report) {
  null_when_empty(f, "NetworksDeleted", report.networks_deleted);
}

}  // namespace skiff::spec::docker
