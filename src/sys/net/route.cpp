#include "sys/net/route.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <libmnl/libmnl.h>

#include <array>
#include <cstring>

namespace skiff::sys {
namespace {

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;

/// Attributes of one answer by number; what is not there is null.
template <std::size_t N>
struct Attributes {
  std::array<const nlattr*, N> at{};
};

template <std::size_t N>
Attributes<N> attributes(const nlmsghdr& message, std::size_t header) {
  Attributes<N> found;
  mnl_attr_parse(
      &message, static_cast<unsigned>(header),
      [](const nlattr* attribute, void* data) {
        auto& out = *static_cast<Attributes<N>*>(data);
        if (mnl_attr_get_type(attribute) < N) out.at[mnl_attr_get_type(attribute)] = attribute;
        return MNL_CB_OK;
      },
      &found);
  return found;
}

Link read_link(const nlmsghdr& message) {
  const auto* info = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
  const auto found = attributes<IFLA_IFALIAS + 1>(message, sizeof *info);
  Link link;
  link.index = info->ifi_index;
  link.up = (info->ifi_flags & IFF_UP) != 0;
  if (const auto* name = found.at[IFLA_IFNAME]) link.name = mnl_attr_get_str(name);
  if (const auto* alias = found.at[IFLA_IFALIAS])
    link.alias.assign(
        static_cast<const char*>(mnl_attr_get_payload(alias)),
        ::strnlen(static_cast<const char*>(mnl_attr_get_payload(alias)), mnl_attr_get_payload_len(alias)));
  if (const auto* master = found.at[IFLA_MASTER]) link.master = static_cast<int>(mnl_attr_get_u32(master));
  if (const auto* nested = found.at[IFLA_LINKINFO]) {
    mnl_attr_parse_nested(
        nested,
        [](const nlattr* attribute, void* data) {
          if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND)
            *static_cast<std::string*>(data) = mnl_attr_get_str(attribute);
          return MNL_CB_OK;
        },
        &link.kind);
  }
  return link;
}

template <typename Header>
std::string request(std::uint32_t sequence, std::uint16_t type, std::uint16_t flags, Header header,
                    const char* name = nullptr) {
  std::vector<char> scratch(512);
  auto* message = mnl_nlmsg_put_header(scratch.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | flags;
  message->nlmsg_seq = sequence;
  *static_cast<Header*>(mnl_nlmsg_put_extra_header(message, sizeof header)) = header;
  if (name) mnl_attr_put_strz(message, IFLA_IFNAME, name);
  return {scratch.data(), message->nlmsg_len};
}

ifinfomsg* put_link_header(nlmsghdr* message, int index = 0) {
  auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
  info->ifi_family = AF_UNSPEC;
  info->ifi_index = index;
  return info;
}

void put_up(ifinfomsg* info) {
  info->ifi_flags = IFF_UP;
  info->ifi_change = IFF_UP;
}

}  // namespace

nlmsghdr* RouteBatch::start(std::uint16_t type, std::uint16_t flags) {
  std::memset(scratch_.data(), 0, scratch_.size());
  auto* message = mnl_nlmsg_put_header(scratch_.data());
  message->nlmsg_type = type;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
  message->nlmsg_seq = static_cast<std::uint32_t>(requests_.size());  // made unique when sent
  return message;
}

void RouteBatch::finish(const nlmsghdr* message, std::string what, int tolerated) {
  messages_.append(scratch_.data(), message->nlmsg_len);
  requests_.push_back({message->nlmsg_seq, std::move(what), tolerated});
}

void RouteBatch::add_bridge(const BridgeRequest& wanted) {
  auto* message = start(RTM_NEWLINK, kCreate);
  put_up(put_link_header(message));
  mnl_attr_put_strz(message, IFLA_IFNAME, wanted.name.c_str());
  if (wanted.mtu > 0) mnl_attr_put_u32(message, IFLA_MTU, static_cast<std::uint32_t>(wanted.mtu));
  if (!wanted.mac.empty()) mnl_attr_put(message, IFLA_ADDRESS, wanted.mac.size(), wanted.mac.data());
  auto* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_KIND, "bridge");
  mnl_attr_nest_end(message, info);
  finish(message, "make bridge " + wanted.name);
}

void RouteBatch::add_veth(const VethRequest& wanted) {
  auto* message = start(RTM_NEWLINK, kCreate);
  put_up(put_link_header(message));
  mnl_attr_put_strz(message, IFLA_IFNAME, wanted.name.c_str());
  if (wanted.mtu > 0) mnl_attr_put_u32(message, IFLA_MTU, static_cast<std::uint32_t>(wanted.mtu));
  if (wanted.bridge > 0) mnl_attr_put_u32(message, IFLA_MASTER, static_cast<std::uint32_t>(wanted.bridge));
  auto* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
  auto* data = mnl_attr_nest_start(message, IFLA_INFO_DATA);
  auto* peer = mnl_attr_nest_start(message, VETH_INFO_PEER);
  put_link_header(message);
  mnl_attr_put_strz(message, IFLA_IFNAME, wanted.peer_name.c_str());
  if (wanted.mtu > 0) mnl_attr_put_u32(message, IFLA_MTU, static_cast<std::uint32_t>(wanted.mtu));
  if (!wanted.peer_mac.empty())
    mnl_attr_put(message, IFLA_ADDRESS, wanted.peer_mac.size(), wanted.peer_mac.data());
  if (wanted.peer_namespace)
    mnl_attr_put_u32(message, IFLA_NET_NS_FD, static_cast<std::uint32_t>(wanted.peer_namespace->get()));
  mnl_attr_nest_end(message, peer);
  mnl_attr_nest_end(message, data);
  mnl_attr_nest_end(message, info);
  finish(message, "make link " + wanted.name);
}

void RouteBatch::set_up(int link, const std::string& name) {
  auto* message = start(RTM_NEWLINK, 0);
  put_up(put_link_header(message, link));
  finish(message, "set " + name + " up");
}

void RouteBatch::set_alias(int link, const std::string& name, const std::string& alias) {
  auto* message = start(RTM_SETLINK, 0);
  put_link_header(message, link);
  mnl_attr_put(message, IFLA_IFALIAS, alias.size(), alias.data());
  finish(message, "note on " + name);
}

void RouteBatch::set_port(const std::string& link, bool hairpin, bool isolated) {
  auto* message = start(RTM_NEWLINK, 0);
  put_link_header(message);
  mnl_attr_put_strz(message, IFLA_IFNAME, link.c_str());
  auto* info = mnl_attr_nest_start(message, IFLA_LINKINFO);
  mnl_attr_put_strz(message, IFLA_INFO_SLAVE_KIND, "bridge");
  auto* port = mnl_attr_nest_start(message, IFLA_INFO_SLAVE_DATA);
  mnl_attr_put_u8(message, IFLA_BRPORT_MODE, hairpin ? 1 : 0);
  mnl_attr_put_u8(message, IFLA_BRPORT_ISOLATED, isolated ? 1 : 0);
  mnl_attr_nest_end(message, port);
  mnl_attr_nest_end(message, info);
  finish(message, "set bridge port " + link);
}

void RouteBatch::add_address(int link, const Prefix& address) {
  auto* message = start(RTM_NEWADDR, kCreate);
  auto* info = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg)));
  info->ifa_family = AF_INET;
  info->ifa_prefixlen = static_cast<std::uint8_t>(address.length);
  info->ifa_scope = RT_SCOPE_UNIVERSE;
  info->ifa_index = static_cast<std::uint32_t>(link);
  mnl_attr_put_u32(message, IFA_LOCAL, address.address.network_order());
  mnl_attr_put_u32(message, IFA_ADDRESS, address.address.network_order());
  if (address.length < 31) mnl_attr_put_u32(message, IFA_BROADCAST, address.last().network_order());
  finish(message, "add address " + address.text(), EEXIST);
}

void RouteBatch::add_default_route(int link, Ipv4 gateway) {
  auto* message = start(RTM_NEWROUTE, kCreate);
  auto* info = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  info->rtm_family = AF_INET;
  info->rtm_table = RT_TABLE_MAIN;
  info->rtm_protocol = RTPROT_BOOT;
  info->rtm_scope = RT_SCOPE_UNIVERSE;
  info->rtm_type = RTN_UNICAST;
  mnl_attr_put_u32(message, RTA_GATEWAY, gateway.network_order());
  mnl_attr_put_u32(message, RTA_OIF, static_cast<std::uint32_t>(link));
  finish(message, "add default route by " + gateway.text(), EEXIST);
}

void RouteBatch::delete_link(const std::string& name) {
  auto* message = start(RTM_DELLINK, 0);
  put_link_header(message);
  mnl_attr_put_strz(message, IFLA_IFNAME, name.c_str());
  finish(message, "remove link " + name, ENODEV);
}

Result<RouteSocket> RouteSocket::open() { return RouteSocket(TRY(NetlinkSocket::open(NETLINK_ROUTE))); }

Result<void> RouteSocket::run(RouteBatch& batch) {
  if (batch.empty()) return {};
  std::string messages = batch.messages_;
  std::vector<NetlinkRequest> requests = batch.requests_;
  std::size_t at = 0;
  for (auto& each : requests) {
    auto* message = reinterpret_cast<nlmsghdr*>(messages.data() + at);
    each.sequence = message->nlmsg_seq = socket_.next_sequence();
    at += NLMSG_ALIGN(message->nlmsg_len);
  }
  return socket_.acknowledge(messages, requests);
}

Result<Link> RouteSocket::link(const std::string& name) {
  Link found;
  TRY_CONTEXT(socket_.query(request(socket_.next_sequence(), RTM_GETLINK, 0, ifinfomsg{}, name.c_str()),
                            [&](const nlmsghdr& message) { found = read_link(message); }),
              "link {}", name);
  return found;
}

Result<std::vector<Link>> RouteSocket::links() {
  std::vector<Link> found;
  TRY(socket_.query(request(socket_.next_sequence(), RTM_GETLINK, NLM_F_DUMP, ifinfomsg{}),
                    [&](const nlmsghdr& message) { found.push_back(read_link(message)); }));
  return found;
}

Result<std::vector<Route>> RouteSocket::routes() {
  std::vector<Route> found;
  rtmsg wanted{};
  wanted.rtm_family = AF_INET;
  TRY(socket_.query(request(socket_.next_sequence(), RTM_GETROUTE, NLM_F_DUMP, wanted),
                    [&](const nlmsghdr& message) {
                      const auto* info = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&message));
                      const auto attribute = attributes<RTA_OIF + 1>(message, sizeof *info);
                      if (info->rtm_table != RT_TABLE_MAIN || !attribute.at[RTA_DST]) return;
                      Route route;
                      route.destination = {Ipv4::from_network_order(mnl_attr_get_u32(attribute.at[RTA_DST])),
                                           info->rtm_dst_len};
                      if (const auto* link = attribute.at[RTA_OIF])
                        route.link = static_cast<int>(mnl_attr_get_u32(link));
                      found.push_back(route);
                    }));
  return found;
}

Result<std::vector<RouteSocket::Address>> RouteSocket::addresses() {
  std::vector<Address> found;
  ifaddrmsg wanted{};
  wanted.ifa_family = AF_INET;
  TRY(socket_.query(
      request(socket_.next_sequence(), RTM_GETADDR, NLM_F_DUMP, wanted), [&](const nlmsghdr& message) {
        const auto* info = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&message));
        const auto attribute = attributes<IFA_LOCAL + 1>(message, sizeof *info);
        if (!attribute.at[IFA_LOCAL]) return;
        found.push_back(
            {static_cast<int>(info->ifa_index),
             {Ipv4::from_network_order(mnl_attr_get_u32(attribute.at[IFA_LOCAL])), info->ifa_prefixlen}});
      }));
  return found;
}

}  // namespace skiff::sys
