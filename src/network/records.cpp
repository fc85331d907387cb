#include "network/records.h"

namespace skiff::network {
namespace {

void address(json::Fields& f, std::string_view name, sys::Ipv4& value) {
  std::string text = value.text();
  f(name, text);
  if (f.reading()) value = sys::Ipv4::parse(text).value_or(sys::Ipv4{});
}

}  // namespace

void describe(json::Fields& f, NetworkRecord& record) {
  f("network", record.shown);
  f("link", record.link);
  f("own_subnet", record.own_subnet);
  f("gateway", record.gateway, json::Omit::Empty);
}

void describe(json::Fields& f, Endpoint& endpoint) {
  f("id", endpoint.id);
  f("network", endpoint.network);
  f("network_name", endpoint.network_name);
  f("container", endpoint.container);
  f("container_name", endpoint.container_name);
  f("interface", endpoint.interface);
  f("ipv4", endpoint.ipv4);
  f("prefix", endpoint.prefix);
  f("gateway", endpoint.gateway);
  f("mac", endpoint.mac);
  f("aliases", endpoint.aliases);
  f("links", endpoint.links);
  f("dns_names", endpoint.dns_names);
  f("internal", endpoint.internal);
}

void describe(json::Fields& f, EndpointRecord& record) {
  f("endpoint", record.endpoint);
  f("order", record.order);
}

void describe(json::Fields& f, PublishedPort& port) {
  f("protocol", port.protocol);
  address(f, "host_address", port.host_address);
  f("host_port", port.host_port);
  address(f, "container_address", port.container_address);
  f("container_port", port.container_port);
}

void describe(json::Fields& f, PortRecord& record) {
  f("network", record.network);
  f("ports", record.ports);
}

}  // namespace skiff::network
