#include "network/firewall.h"

// clang-format off
// First of all, because the kernel's headers define parts of it again.
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
// clang-format on

#include <cstring>

namespace skiff::network::firewall {
namespace {

using sys::NftBatch;
using sys::NftElement;
using sys::NftRule;
namespace type = sys::nft_type;

constexpr const char* kBridges = "bridges";        // every bridge of ours
constexpr const char* kSame = "same";              // (bridge, the same bridge)
constexpr const char* kInternal = "internal";      // bridges with no way out
constexpr const char* kMasquerade = "masquerade";  // bridges whose containers go out under the host's address
constexpr const char* kPublishAny = "publish_any";  // protocol . port -> container address . port
constexpr const char* kPublishAt =
    "publish_at";  // protocol . host address . port -> container address . port

constexpr std::uint32_t kDestination = 16;  // offset in the IPv4 header
constexpr std::uint32_t kSource = 12;
constexpr std::uint32_t kDestinationPort = 2;  // offset in the TCP, UDP and SCTP header

// Netfilter's own numbers for places in the hooks (linux/netfilter_ipv4.h), whose header clashes with
// <netinet/in.h>.
constexpr std::int32_t kRaw = -300;
constexpr std::int32_t kDestinationNat = -100;
constexpr std::int32_t kFilter = 0;
constexpr std::int32_t kSourceNat = 100;

template <typename T>
std::string bytes(T value) {
  std::string out(sizeof value, '\0');
  std::memcpy(out.data(), &value, sizeof value);
  return out;
}

std::string padded(std::string value) {
  value.resize((value.size() + 3) / 4 * 4);
  return value;
}

std::string protocol_byte(const std::string& protocol) {
  const int number = protocol == "udp" ? IPPROTO_UDP : protocol == "sctp" ? IPPROTO_SCTP : IPPROTO_TCP;
  return {static_cast<char>(number)};
}

std::string port_bytes(std::uint16_t port) { return bytes(htons(port)); }

std::string link_bytes(const std::string& link) {
  std::string out = link;
  out.resize(IFNAMSIZ);
  return out;
}

NftRule input_in(const char* set) {
  NftRule rule;
  rule.meta(NFT_META_IIFNAME, 0).in_set(0, set);
  return rule;
}
NftRule output_in(const char* set) {
  NftRule rule;
  rule.meta(NFT_META_OIFNAME, 0).in_set(0, set);
  return rule;
}
NftRule stays_on_bridge() {
  NftRule rule;
  rule.meta(NFT_META_IIFNAME, 0).meta(NFT_META_OIFNAME, 4).in_set(0, kSame);
  return rule;
}
NftRule& with_conntrack(NftRule& rule, std::uint32_t key, std::uint32_t bits) {
  return rule.conntrack(key, 0).masked(0, bytes(bits)).is_not(0, bytes(std::uint32_t{0}));
}
NftRule& to_loopback(NftRule& rule, std::uint32_t offset) {
  return rule.network_header(offset, 1, 0).is(0, "\x7f");
}

/// Published ports: the same two rules for packets from outside and from the host itself. A port of one host
/// address goes before a port of all.
void add_publish_rules(NftBatch& batch, const char* chain) {
  NftRule at;
  at.destination_address_type(0).is(0, bytes(std::uint32_t{RTN_LOCAL}));
  at.meta(NFT_META_L4PROTO, 0).network_header(kDestination, 4, 1).transport_header(kDestinationPort, 2, 2);
  at.from_map(0, kPublishAt, 0).destination_nat(0, 1);
  batch.add_rule(chain, std::move(at));
  NftRule any;
  any.destination_address_type(0).is(0, bytes(std::uint32_t{RTN_LOCAL}));
  any.meta(NFT_META_L4PROTO, 0).transport_header(kDestinationPort, 2, 1);
  any.from_map(0, kPublishAny, 0).destination_nat(0, 1);
  batch.add_rule(chain, std::move(any));
}

void add_forward_rules(NftBatch& batch) {
  NftRule established;
  with_conntrack(established, NFT_CT_STATE,
                 NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED));
  batch.add_rule("forward", std::move(established.accept()));
  batch.add_rule("forward", std::move(stays_on_bridge().accept()));
  batch.add_rule("forward", std::move(input_in(kInternal).drop()));
  NftRule published = output_in(kBridges);
  with_conntrack(published, NFT_CT_STATUS, IPS_DST_NAT);
  batch.add_rule("forward", std::move(published.accept()));
  // Other bridges, and neighbours of the host that route straight to a container's address.
  batch.add_rule("forward", std::move(output_in(kBridges).drop()));
}

void add_postrouting_rules(NftBatch& batch) {
  // A container that reaches itself or a neighbour by the host's address: the answer must come back through
  // here.
  NftRule hairpin = stays_on_bridge();
  with_conntrack(hairpin, NFT_CT_STATUS, IPS_DST_NAT);
  batch.add_rule("postrouting", std::move(hairpin.masquerade()));
  // The same while br_netfilter is on: the packet stays inside the bridge and shows no input link here. So do
  // the host's own; they are seen under the bridge's address then, which does no harm.
  NftRule bridged = output_in(kBridges);
  bridged.meta(NFT_META_IIFNAME, 0).is(0, link_bytes(""));
  with_conntrack(bridged, NFT_CT_STATUS, IPS_DST_NAT);
  batch.add_rule("postrouting", std::move(bridged.masquerade()));
  batch.add_rule("postrouting", std::move(stays_on_bridge().leave()));
  batch.add_rule("postrouting", std::move(input_in(kMasquerade).masquerade()));
  // The host itself by 127.0.0.1: a container could not answer that address.
  NftRule host = output_in(kBridges);
  to_loopback(host, kSource);
  batch.add_rule("postrouting", std::move(host.masquerade()));
}

void add_layout(NftBatch& batch) {
  batch.add_table();
  const auto link = type::kInterface;
  batch.add_set({kBridges, link, IFNAMSIZ});
  batch.add_set({kSame, type::concat(link, link), 2 * IFNAMSIZ});
  batch.add_set({kInternal, link, IFNAMSIZ});
  batch.add_set({kMasquerade, link, IFNAMSIZ});
  const auto target = type::concat(type::kIpv4, type::kService);
  batch.add_set({kPublishAny, type::concat(type::kProtocol, type::kService), 8, target, 8});
  batch.add_set(
      {kPublishAt, type::concat(type::concat(type::kProtocol, type::kIpv4), type::kService), 12, target, 8});
  batch.add_chain({"raw", "filter", NF_INET_PRE_ROUTING, kRaw});
  batch.add_chain({"prerouting", "nat", NF_INET_PRE_ROUTING, kDestinationNat});
  batch.add_chain({"output", "nat", NF_INET_LOCAL_OUT, kDestinationNat});
  batch.add_chain({"forward", "filter", NF_INET_FORWARD, kFilter});
  batch.add_chain({"postrouting", "nat", NF_INET_POST_ROUTING, kSourceNat});
}

std::vector<NftElement> links(const std::vector<Bridge>& bridges, bool Bridge::*flag) {
  std::vector<NftElement> out;
  for (const auto& bridge : bridges)
    if (!flag || bridge.*flag) out.push_back({link_bytes(bridge.link), {}});
  return out;
}

std::vector<NftElement> pairs(const std::vector<Bridge>& bridges) {
  std::vector<NftElement> out;
  for (const auto& bridge : bridges) out.push_back({link_bytes(bridge.link) + link_bytes(bridge.link), {}});
  return out;
}

using Change = void (NftBatch::*)(const std::string&, const std::vector<NftElement>&);

void change_bridges(NftBatch& batch, const std::vector<Bridge>& bridges, Change change) {
  (batch.*change)(kBridges, links(bridges, nullptr));
  (batch.*change)(kSame, pairs(bridges));
  (batch.*change)(kInternal, links(bridges, &Bridge::internal));
  (batch.*change)(kMasquerade, links(bridges, &Bridge::masquerade));
}

void change_ports(NftBatch& batch, const std::vector<PublishedPort>& ports, Change change) {
  std::vector<NftElement> any;
  std::vector<NftElement> at;
  for (const auto& port : ports) {
    auto encoded = encode(port);
    (encoded.any ? any : at).push_back(std::move(encoded.element));
  }
  (batch.*change)(kPublishAny, any);
  (batch.*change)(kPublishAt, at);
}

}  // namespace

PortElement encode(const PublishedPort& port) {
  PortElement out;
  out.any = port.host_address.value == 0;
  out.element.key = padded(protocol_byte(port.protocol));
  if (!out.any) out.element.key += bytes(port.host_address.network_order());
  out.element.key += padded(port_bytes(port.host_port));
  out.element.data = bytes(port.container_address.network_order()) + padded(port_bytes(port.container_port));
  return out;
}

void rebuild(NftBatch& batch, const std::vector<Bridge>& bridges, const std::vector<PublishedPort>& ports) {
  add_layout(batch);
  for (const auto* set : {kBridges, kSame, kInternal, kMasquerade, kPublishAny, kPublishAt})
    batch.flush_set(set);
  for (const auto* chain : {"raw", "prerouting", "output", "forward", "postrouting"})
    batch.flush_chain(chain);
  // route_localnet lets the host reach containers from 127.0.0.1; containers must not reach the host's
  // loopback by it.
  NftRule loopback = input_in(kBridges);
  to_loopback(loopback, kDestination);
  batch.add_rule("raw", std::move(loopback.drop()));
  add_publish_rules(batch, "prerouting");
  add_publish_rules(batch, "output");
  add_forward_rules(batch);
  add_postrouting_rules(batch);
  change_bridges(batch, bridges, &NftBatch::add_elements);
  change_ports(batch, ports, &NftBatch::add_elements);
}

void add_bridge(NftBatch& batch, const Bridge& bridge) {
  change_bridges(batch, {bridge}, &NftBatch::add_elements);
}
void remove_bridge(NftBatch& batch, const Bridge& bridge) {
  change_bridges(batch, {bridge}, &NftBatch::delete_elements);
}
void add_ports(NftBatch& batch, const std::vector<PublishedPort>& ports) {
  change_ports(batch, ports, &NftBatch::add_elements);
}
void remove_ports(NftBatch& batch, const std::vector<PublishedPort>& ports) {
  change_ports(batch, ports, &NftBatch::delete_elements);
}

void add_dns_redirect(NftBatch& batch, std::uint16_t udp_port, std::uint16_t tcp_port) {
  const sys::Ipv4 server{0x7f00000b};
  batch.add_table();
  batch.add_chain({"output", "nat", NF_INET_LOCAL_OUT, kDestinationNat});
  for (const auto& [protocol, port] : {std::pair{"udp", udp_port}, std::pair{"tcp", tcp_port}}) {
    NftRule rule;
    rule.network_header(kDestination, 4, 0).is(0, bytes(server.network_order()));
    rule.meta(NFT_META_L4PROTO, 0).is(0, protocol_byte(protocol));
    rule.transport_header(kDestinationPort, 2, 0).is(0, port_bytes(53));
    rule.immediate(bytes(server.network_order()), 0).immediate(port_bytes(port), 1).destination_nat(0, 1);
    batch.add_rule("output", std::move(rule));
  }
}

}  // namespace skiff::network::firewall
