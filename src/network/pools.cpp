#include "network/pools.h"

#include <algorithm>
#include <array>

namespace skiff::network {
namespace {

using sys::Ipv4;
using sys::Prefix;

constexpr std::array kDefaultPools{std::pair{"172.17.0.0/16", 16}, std::pair{"172.18.0.0/16", 16},
                                   std::pair{"172.19.0.0/16", 16}, std::pair{"172.20.0.0/14", 16},
                                   std::pair{"172.24.0.0/14", 16}, std::pair{"172.28.0.0/14", 16},
                                   std::pair{"192.168.0.0/16", 20}};

}  // namespace

Result<std::vector<Pool>> subnet_pools(const spec::EngineConfig& config) {
  std::vector<Pool> pools;
  for (const auto& wanted : config.address_pools) {
    const auto base = Prefix::parse(wanted.base);
    if (!base || wanted.size < base->length || wanted.size > 30)
      return fail(Kind::InvalidArgument, "invalid default address pool: base {} size {}", wanted.base,
                  wanted.size);
    pools.push_back({base->subnet(), wanted.size});
  }
  if (pools.empty())
    for (const auto& [base, size] : kDefaultPools) pools.push_back({*Prefix::parse(base), size});
  return pools;
}

Result<Prefix> choose_subnet(const std::vector<Pool>& pools, const std::vector<Prefix>& taken) {
  for (const auto& pool : pools) {
    std::uint64_t at = pool.base.first().value;
    while (at <= pool.base.last().value) {
      const Prefix candidate{{static_cast<std::uint32_t>(at)}, pool.size};
      const auto hit = std::find_if(taken.begin(), taken.end(),
                                    [&](const Prefix& other) { return other.overlaps(candidate); });
      if (hit == taken.end()) return candidate;
      // Jump over what is in the way: it may be much larger than one of our pieces.
      at = std::max<std::uint64_t>(hit->last().value, candidate.last().value) + 1;
    }
  }
  return fail(Kind::InvalidArgument, "all predefined address pools have been fully subnetted");
}

bool AddressSpace::usable(Ipv4 address) const {
  if (!subnet_.contains(address)) return false;
  return subnet_.length >= 31 || (address != subnet_.first() && address != subnet_.last());
}

std::optional<Ipv4> AddressSpace::take_any() {
  for (std::uint64_t at = range_.first().value; at <= range_.last().value; ++at) {
    const Ipv4 candidate{static_cast<std::uint32_t>(at)};
    if (usable(candidate) && take(candidate)) return candidate;
  }
  return std::nullopt;
}

bool AddressSpace::take(Ipv4 address) { return taken_.insert(address).second; }

}  // namespace skiff::network
