#include "cli/specs/network_spec.h"

#include "base/strings.h"
#include "cli/flags.h"

namespace skiff::cli {

Result<NetworkSpec> parse_network(std::string_view text) {
  NetworkSpec network;
  if (text.find('=') == std::string_view::npos) {
    network.name = text;
    return network;
  }
  for (const auto& field : TRY(parse_csv_line(text))) {
    const auto [raw_key, value] = cut(field, '=');
    const std::string key = to_lower(trim(raw_key));
    if (!value) return fail(Kind::InvalidArgument, "invalid field '{}' must be a key=value pair", field);
    const std::string item(trim(*value));
    if (key == "name")
      network.name = item;
    else if (key == "alias")
      network.aliases.push_back(item);
    else if (key == "ip")
      network.ipv4_address = item;
    else if (key == "ip6")
      network.ipv6_address = item;
    else if (key == "mac-address")
      network.mac_address = item;
    else if (key == "link-local-ip")
      network.link_local_ips.push_back(item);
    else if (key == "gw-priority")
      network.gw_priority = static_cast<int>(TRY(parse_go_int(item)));
    else if (key == "driver-opt") {
      const auto [name, option] = cut(item, '=');
      if (!option) return fail(Kind::InvalidArgument, "invalid key value pair format in driver options");
      network.driver_options[to_lower(name)] = to_lower(*option);
    } else
      return fail(Kind::InvalidArgument, "invalid field key {}", key);
  }
  if (network.name.empty()) return Error(Kind::InvalidArgument, "network name/id is not specified");
  return network;
}

}  // namespace skiff::cli
