#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sys/net/address.h"
#include "sys/net/netlink.h"

namespace skiff::sys {

struct Link {
  int index = 0;
  int master = 0;  ///< index of the bridge it hangs on, or 0
  std::string name;
  std::string kind;   ///< "bridge", "veth", "" for hardware
  std::string alias;  ///< a note that programs may leave on a link (ip-link(8))
  bool up = false;
};

struct Route {
  Prefix destination;
  int link = 0;  ///< index of the outgoing link, or 0
};

struct BridgeRequest {
  std::string name;
  std::string mac;  ///< six bytes; fixed, so that the bridge's address does not follow its ports
  int mtu = 0;
};

struct VethRequest {
  std::string name;       ///< the end that stays here, put on the bridge and up
  std::string peer_name;  ///< the end that goes into `peer_namespace`, down
  std::string peer_mac;
  int mtu = 0;
  int bridge = 0;  ///< link index
  const Fd* peer_namespace = nullptr;
};

/// Requests to the routing part of the kernel (rtnetlink(7)), gathered and sent as one datagram.
class RouteBatch {
 public:
  void add_bridge(const BridgeRequest& request);
  void add_veth(const VethRequest& request);
  void set_up(int link, const std::string& name);
  void set_alias(int link, const std::string& name, const std::string& alias);
  /// Settings of a bridge's port. `hairpin`: a frame may leave by the port it came in by, which a container
  /// needs that reaches itself under the host's address while br_netfilter is on. `isolated`: no frames to
  /// and from other isolated ports.
  void set_port(const std::string& link, bool hairpin, bool isolated);
  void add_address(int link, const Prefix& address);  ///< fine if it is there
  void add_default_route(int link, Ipv4 gateway);
  void delete_link(const std::string& name);  ///< fine if it is gone
  bool empty() const { return requests_.empty(); }

 private:
  friend class RouteSocket;
  nlmsghdr* start(std::uint16_t type, std::uint16_t flags);
  void finish(const nlmsghdr* message, std::string what, int tolerated = 0);

  std::string messages_;
  std::vector<NetlinkRequest> requests_;
  std::vector<char> scratch_ = std::vector<char>(4096);
};

/// Links, addresses and routes of the namespace it was opened in. Not thread-safe.
class RouteSocket {
 public:
  static Result<RouteSocket> open();

  Result<void> run(RouteBatch& batch);
  /// NotFound when there is none of that name.
  Result<Link> link(const std::string& name);
  Result<std::vector<Link>> links();
  Result<std::vector<Route>> routes();  ///< of the main table, IPv4, without the default route
  struct Address {
    int link = 0;
    Prefix prefix;
  };
  Result<std::vector<Address>> addresses();

 private:
  explicit RouteSocket(NetlinkSocket socket) : socket_(std::move(socket)) {}
  NetlinkSocket socket_;
};

}  // namespace skiff::sys
