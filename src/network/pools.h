#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "spec/engine_config.h"
#include "sys/net/address.h"

/// Which subnet a network gets, and which address a container gets in it. Pure: the caller brings what is
/// taken.
namespace skiff::network {

struct Pool {
  sys::Prefix base;
  int size = 0;  ///< prefix length of the subnets cut from it
};

/// The configured pools, or Docker's: 172.17-31.0.0/16, then 192.168.0.0/16 in pieces of /20. InvalidArgument
/// for a malformed one.
Result<std::vector<Pool>> subnet_pools(const spec::EngineConfig& config);

/// The first subnet of the pools that overlaps nothing in `taken`. InvalidArgument: all predefined address
/// pools have been fully subnetted.
Result<sys::Prefix> choose_subnet(const std::vector<Pool>& pools, const std::vector<sys::Prefix>& taken);

/// The addresses of one network.
class AddressSpace {
 public:
  AddressSpace() = default;
  /// Addresses come out of `range` (the subnet when absent); network and broadcast address never.
  AddressSpace(sys::Prefix subnet, std::optional<sys::Prefix> range)
      : subnet_(subnet), range_(range.value_or(subnet)) {}

  /// The lowest free one, or nothing.
  std::optional<sys::Ipv4> take_any();
  /// A wanted one anywhere in the subnet; false when taken.
  bool take(sys::Ipv4 address);
  void give_back(sys::Ipv4 address) { taken_.erase(address); }
  bool usable(sys::Ipv4 address) const;
  const sys::Prefix& subnet() const { return subnet_; }

 private:
  sys::Prefix subnet_;
  sys::Prefix range_;
  std::set<sys::Ipv4> taken_;
};

}  // namespace skiff::network
