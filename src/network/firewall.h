#pragma once

#include <string>
#include <vector>

#include "network/ports.h"
#include "sys/net/nftables.h"

/// The private nftables table: its fixed chains and sets, and what networks and ports put into the sets.
/// docs/networking.md draws it. Rules never change while the engine runs; only elements do.
namespace skiff::network::firewall {

struct Bridge {
  std::string link;
  bool internal = false;
  bool masquerade = true;
};

/// Makes the table, or brings one that stands back to this layout, with exactly these elements: one
/// transaction, so that established and new connections never see a gap.
void rebuild(sys::NftBatch& batch, const std::vector<Bridge>& bridges,
             const std::vector<PublishedPort>& ports);

void add_bridge(sys::NftBatch& batch, const Bridge& bridge);
void remove_bridge(sys::NftBatch& batch, const Bridge& bridge);
void add_ports(sys::NftBatch& batch, const std::vector<PublishedPort>& ports);
void remove_ports(sys::NftBatch& batch, const std::vector<PublishedPort>& ports);

/// In a container's namespace: questions to 127.0.0.11:53 go to the sockets' real ports.
void add_dns_redirect(sys::NftBatch& batch, std::uint16_t udp_port, std::uint16_t tcp_port);

/// The map element of a port; `any` says in which of the two maps it lies. Public for its test.
struct PortElement {
  bool any = false;
  sys::NftElement element;
};
PortElement encode(const PublishedPort& port);

}  // namespace skiff::network::firewall
