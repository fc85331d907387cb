#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace skiff::cli {

/// One --network value: a name, or "name=net,alias=a,ip=...,driver-opt=k=v".
struct NetworkSpec {
  std::string name;
  std::vector<std::string> aliases;
  std::map<std::string, std::string> driver_options;
  std::string ipv4_address;
  std::string ipv6_address;
  std::vector<std::string> link_local_ips;
  std::string mac_address;
  int gw_priority = 0;
};

Result<NetworkSpec> parse_network(std::string_view text);

}  // namespace skiff::cli
