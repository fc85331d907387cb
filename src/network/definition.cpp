#include "network/definition.h"

#include <fmt/format.h>

#include "base/ids.h"
#include "base/strings.h"

namespace skiff::network {
namespace {

using sys::Ipv4;
using sys::Prefix;

/// Go's strconv.ParseBool.
std::optional<bool> parse_bool(std::string_view text) {
  for (const auto* word : {"1", "t", "T", "TRUE", "true", "True"})
    if (text == word) return true;
  for (const auto* word : {"0", "f", "F", "FALSE", "false", "False"})
    if (text == word) return false;
  return std::nullopt;
}

Error bad_value(std::string_view option, const std::string& value, std::string_view why) {
  return fail(Kind::InvalidArgument, "failed to parse {} value: {} ({})", option, value, why);
}

Result<void> read_flag(const std::map<std::string, std::string>& options, const char* name, bool& out) {
  const auto found = options.find(name);
  if (found == options.end()) return {};
  const auto value = parse_bool(found->second);
  if (!value)
    return bad_value(name, found->second,
                     fmt::format("strconv.ParseBool: parsing {}: invalid syntax", quote(found->second)));
  out = *value;
  return {};
}

class Complaints {
 public:
  template <typename... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    lines_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  Result<void> result() const {
    if (lines_.empty()) return {};
    return fail(Kind::InvalidArgument, "invalid network config:\n{}", join(lines_, "\n"));
  }

 private:
  std::vector<std::string> lines_;
};

std::optional<Ipv4> inside(Complaints& complaints, const Prefix& subnet, const std::string& what,
                           const std::string& shown, const std::string& text) {
  const auto address = Ipv4::parse(text);
  if (!address) {
    complaints.add("invalid {} {}: invalid address", what, shown);
    return std::nullopt;
  }
  if (!subnet.contains(*address))
    complaints.add("invalid {} {}: parent subnet {} doesn't contain this address", what, shown,
                   subnet.text());
  return address;
}

}  // namespace

Result<BridgeOptions> read_bridge_options(const std::map<std::string, std::string>& options) {
  BridgeOptions out;
  TRY(read_flag(options, kOptionIcc, out.icc));
  TRY(read_flag(options, kOptionMasquerade, out.masquerade));
  if (const auto found = options.find(kOptionName); found != options.end()) out.link = found->second;
  if (out.link.size() > 15) return fail(Kind::InvalidArgument, "numerical result out of range");
  if (out.link == "." || out.link == ".." || out.link.find_first_of("/: \t\n") != std::string::npos)
    return fail(Kind::InvalidArgument, "invalid bridge name {}", quote(out.link));
  if (const auto found = options.find(kOptionMtu); found != options.end()) {
    const auto mtu = parse_int(found->second);
    if (!mtu)
      return bad_value(kOptionMtu, found->second,
                       fmt::format("strconv.Atoi: parsing {}: invalid syntax", quote(found->second)));
    if (*mtu < 0 || *mtu > 65535) return fail(Kind::InvalidArgument, "invalid MTU number: {}", *mtu);
    out.mtu = static_cast<int>(*mtu);
  }
  if (const auto found = options.find(kOptionHostBinding); found != options.end()) {
    const auto address = Ipv4::parse(found->second);
    if (!address) return bad_value(kOptionHostBinding, found->second, "invalid ip address");
    out.host_binding = *address;
  }
  return out;
}

Result<Addressing> read_addressing(const spec::docker::IpamConfig& config) {
  Complaints complaints;
  Addressing out;
  if (config.subnet.find(':') != std::string::npos)
    return fail(Kind::Unsupported, "this engine has no IPv6 networks: subnet {}", config.subnet);
  const auto subnet = Prefix::parse(config.subnet);
  if (!subnet) {
    complaints.add("invalid subnet {}: invalid CIDR block notation", config.subnet);
    TRY(complaints.result());
  }
  out.subnet = subnet->subnet();
  if (out.subnet != *subnet)
    complaints.add("invalid subnet {}: it should be {}", config.subnet, out.subnet.text());
  if (!config.ip_range.empty()) {
    const auto range = Prefix::parse(config.ip_range);
    if (!range)
      complaints.add("invalid ip-range {}: invalid CIDR block notation", config.ip_range);
    else if (!out.subnet.contains(*range))
      complaints.add("invalid ip-range {}: parent subnet {} doesn't contain ip-range", config.ip_range,
                     out.subnet.text());
    else if (range->subnet() != *range)
      complaints.add("invalid ip-range {}: it should be {}", config.ip_range, range->subnet().text());
    out.range = range;
  }
  if (!config.gateway.empty())
    out.gateway = inside(complaints, out.subnet, "gateway", config.gateway, config.gateway);
  for (const auto& [name, address] : config.auxiliary_addresses)
    if (const auto found = inside(complaints, out.subnet, "auxiliary address", name, address))
      out.reserved.push_back(*found);
  TRY(complaints.result());
  return out;
}

Result<void> check_request(const spec::docker::NetworkCreate& request) {
  if (trim(request.name).empty()) return fail(Kind::InvalidArgument, "invalid name: name is empty");
  for (const auto* predefined : {"bridge", "host", "none", "default"})
    if (request.name == predefined)
      return fail(Kind::Forbidden, "operation is not permitted on predefined {} network ", request.name);
  if (request.scope == "swarm")
    return fail(Kind::Forbidden, "cannot create a swarm scoped network when swarm is not active");
  const std::string& driver = request.driver;
  if (driver == "host" || driver == "null")
    return fail(Kind::Forbidden, "only one instance of {} network is allowed", quote(driver));
  if (driver == "overlay")
    return fail(Kind::Forbidden,
                "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to "
                "connect this node to swarm and try again.");
  if (!driver.empty() && driver != "bridge" && driver != "default")
    return fail(Kind::NotFound, "plugin {} not found", quote(driver));
  if (request.enable_ipv4 == false && request.enable_ipv6 != true)
    return fail(Kind::InvalidArgument, "IPv4 or IPv6 must be enabled");
  if (request.enable_ipv4 == false || request.enable_ipv6 == true)
    return fail(Kind::Unsupported, "this engine has no IPv6 networks: leave --ipv6 out");
  if (request.config_only || !request.config_from.empty())
    return fail(Kind::Unsupported, "configuration-only networks are not supported");
  if (request.ingress) return fail(Kind::Forbidden, "cannot create an ingress network outside of a swarm");
  if (!request.ipam) return {};
  if (!request.ipam->driver.empty() && request.ipam->driver != "default")
    return fail(Kind::NotFound, "plugin {} not found", quote(request.ipam->driver));
  if (request.ipam->config.size() > 1)
    return fail(Kind::Forbidden, "bridge driver doesn't support multiple subnets");
  return {};
}

std::string default_link_name(const std::string& id) { return fmt::format("br-{}", short_id(id)); }

}  // namespace skiff::network
