#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "base/strings.h"
#include "cli/commands/resource_entries.h"
#include "cli/commands/resource_support.h"
#include "cli/specs/values.h"

namespace skiff::cli {

namespace {

namespace docker = spec::docker;

/// An address of either family with a prefix length.
struct Prefix {
  std::array<unsigned char, 16> bytes{};
  int family = 0;
  int length = 0;
};

std::optional<Prefix> parse_prefix(const std::string& text) {
  const auto [address, length] = cut(text, '/');
  Prefix prefix;
  const std::string plain(address);
  prefix.family = plain.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (::inet_pton(prefix.family, plain.c_str(), prefix.bytes.data()) != 1) return std::nullopt;
  const int whole = prefix.family == AF_INET ? 32 : 128;
  const auto number = length ? parse_int(*length) : std::optional<std::int64_t>(whole);
  if (!number || *number < 0 || *number > whole) return std::nullopt;
  prefix.length = static_cast<int>(*number);
  return prefix;
}

bool contains(const Prefix& net, const Prefix& address) {
  if (net.family != address.family) return false;
  for (int bit = 0; bit < net.length; ++bit) {
    const auto index = static_cast<std::size_t>(bit / 8);
    const int mask = 0x80 >> (bit % 8);
    if ((net.bytes[index] & mask) != (address.bytes[index] & mask)) return false;
  }
  return true;
}

/// Whether `data`, an address or a range, starts in `subnet`.
Result<bool> subnet_matches(const std::string& subnet, const std::string& data) {
  const auto net = subnet.find('/') == std::string::npos ? std::nullopt : parse_prefix(subnet);
  if (!net) return fail(Kind::InvalidArgument, "invalid subnet: invalid CIDR address: {}", subnet);
  const auto address = parse_prefix(data);
  if (!address && data.find('/') != std::string::npos)
    return fail(Kind::InvalidArgument, "invalid CIDR address: {}", data);
  return address && contains(*net, *address);
}

class NetworkCreate : public Command {
 public:
  NetworkCreate() {
    flags.boolean(attachable_, "attachable", 0, "Enable manual container attachment");
    flags.map(auxiliary_, "aux-address", 0, "Auxiliary IPv4 or IPv6 addresses used by Network driver");
    flags.string(config_from_, "config-from", 0, "The network from which to copy the configuration");
    flags.boolean(config_only_, "config-only", 0, "Create a configuration only network");
    flags.string(driver_, "driver", 'd', "Driver to manage the Network");
    flags.strings(gateways_, "gateway", 0, "IPv4 or IPv6 Gateway for the master subnet");
    flags.boolean(ingress_, "ingress", 0, "Create swarm routing-mesh network");
    flags.boolean(internal_, "internal", 0, "Restrict external access to the network");
    flags.strings(ranges_, "ip-range", 0, "Allocate container ip from a sub-range");
    flags.string(ipam_driver_, "ipam-driver", 0, "IP Address Management Driver");
    flags.map(ipam_options_, "ipam-opt", 0, "Set IPAM driver specific options");
    flags.boolean(ipv4_, "ipv4", 0, "Enable or disable IPv4 address assignment");
    flags.boolean(ipv6_, "ipv6", 0, "Enable or disable IPv6 address assignment");
    flags.list(labels_, "label", 0, "Set metadata on a network", check_label);
    flags.map(options_, "opt", 'o', "Set driver specific options");
    flags.string(scope_, "scope", 0, "Control the network's scope");
    flags.strings(subnets_, "subnet", 0, "Subnet in CIDR format that represents a network segment");
  }

  Result<int> run(Cli& cli, const Arguments& arguments) override {
    docker::NetworkCreate request;
    request.name = arguments[0];
    request.driver = config_only_ && !flags.changed("driver") ? "" : driver_;
    request.scope = scope_;
    if (flags.changed("ipv4")) request.enable_ipv4 = ipv4_;
    if (flags.changed("ipv6")) request.enable_ipv6 = ipv6_;
    docker::Ipam ipam;
    ipam.driver = ipam_driver_;
    ipam.options = ipam_options_;
    ipam.config = TRY(pools());
    request.ipam = std::move(ipam);
    request.internal = internal_;
    request.attachable = attachable_;
    request.ingress = ingress_;
    request.config_only = config_only_;
    request.config_from = config_from_;
    request.options = options_;
    request.labels = to_map(labels_);
    const auto created = TRY(TRY(cli.engine())->create_network(request));
    if (!created.warning.empty()) cli.err.print("WARNING: {}\n", created.warning);
    cli.out.write(created.id + "\n");
    return 0;
  }

 private:
  Result<std::vector<docker::IpamConfig>> pools() const {
    std::vector<docker::IpamConfig> pools;
    if (subnets_.size() < ranges_.size() || subnets_.size() < gateways_.size())
      return Error(Kind::InvalidArgument, "every ip-range or gateway must have a corresponding subnet");
    for (const auto& subnet : subnets_) {
      for (const auto& other : pools)
        if (TRY(subnet_matches(subnet, other.subnet)) || TRY(subnet_matches(other.subnet, subnet)))
          return Error(Kind::InvalidArgument, "multiple overlapping subnet configuration is not supported");
      pools.emplace_back().subnet = subnet;
    }
    for (const auto& range : ranges_) {
      docker::IpamConfig* pool = TRY(pool_of(pools, range, "range"));
      if (!pool->ip_range.empty())
        return fail(Kind::InvalidArgument,
                    "cannot configure multiple ranges ({}, {}) on the same subnet ({})", range,
                    pool->ip_range, pool->subnet);
      pool->ip_range = range;
    }
    for (const auto& gateway : gateways_) {
      docker::IpamConfig* pool = TRY(pool_of(pools, gateway, "gateway"));
      if (!pool->gateway.empty())
        return fail(Kind::InvalidArgument,
                    "cannot configure multiple gateways ({}, {}) for the same subnet ({})", gateway,
                    pool->gateway, pool->subnet);
      pool->gateway = gateway;
    }
    for (const auto& [name, address] : auxiliary_)
      TRY(pool_of(pools, address, "aux-address"))->auxiliary_addresses[name] = address;
    return pools;
  }

  static Result<docker::IpamConfig*> pool_of(std::vector<docker::IpamConfig>& pools, const std::string& data,
                                             std::string_view what) {
    for (auto& pool : pools)
      if (TRY(subnet_matches(pool.subnet, data))) return &pool;
    return fail(Kind::InvalidArgument, "no matching subnet for {} {}", what, data);
  }

  std::string config_from_, scope_;
  std::string driver_ = "bridge";
  std::string ipam_driver_ = "default";
  std::vector<std::string> gateways_, ranges_, subnets_, labels_;
  std::map<std::string, std::string> auxiliary_, ipam_options_, options_;
  bool attachable_ = false, config_only_ = false, ingress_ = false, internal_ = false, ipv4_ = true,
       ipv6_ = false;
};

}  // namespace

namespace make {
std::unique_ptr<Command> network_create() { return std::make_unique<NetworkCreate>(); }
}  // namespace make

}  // namespace skiff::cli
