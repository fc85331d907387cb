#include "network/names.h"

#include <algorithm>

#include "base/strings.h"

namespace skiff::network {

using sys::Ipv4;

void Names::add(const Endpoint& endpoint) {
  const MutexLock lock(mutex_);
  networks_[endpoint.network][endpoint.container] = endpoint;
}

void Names::remove(const std::string& container, const std::string& network) {
  const MutexLock lock(mutex_);
  const auto found = networks_.find(network);
  if (found == networks_.end()) return;
  found->second.erase(container);
  if (found->second.empty()) networks_.erase(found);
}

void Names::rename(const std::string& container, const std::string& name,
                   const std::vector<Endpoint>& endpoints) {
  const MutexLock lock(mutex_);
  for (const auto& endpoint : endpoints) {
    const auto network = networks_.find(endpoint.network);
    if (network == networks_.end()) continue;
    const auto entry = network->second.find(container);
    if (entry == network->second.end()) continue;
    entry->second.container_name = name;
    entry->second.dns_names = endpoint.dns_names;
  }
}

std::vector<Ipv4> Names::on_network(const std::string& network, const std::string& name) const {
  std::vector<Ipv4> found;
  const auto entry = networks_.find(network);
  if (entry == networks_.end()) return found;
  for (const auto& [container, endpoint] : entry->second) {
    const bool called = std::any_of(endpoint.dns_names.begin(), endpoint.dns_names.end(),
                                    [&](const std::string& own) { return equals_ignore_case(own, name); });
    const auto address = Ipv4::parse(endpoint.ipv4);
    if (called && address) found.push_back(*address);
  }
  return found;
}

std::vector<Ipv4> Names::visible(const std::string& asker, const std::string& name) const {
  std::vector<Ipv4> found;
  for (const auto& [network, members] : networks_) {
    const auto self = members.find(asker);
    if (self == members.end() || self->second.dns_names.empty()) continue;
    for (const auto& link : self->second.links) {
      const auto [target, alias] = cut(link, ':');
      if (alias && equals_ignore_case(*alias, name)) {
        auto linked = on_network(network, std::string(target));
        found.insert(found.end(), linked.begin(), linked.end());
      }
    }
    auto direct = on_network(network, name);
    const std::string suffix = "." + self->second.network_name;
    if (direct.empty() && name.size() > suffix.size() &&
        equals_ignore_case(std::string_view(name).substr(name.size() - suffix.size()), suffix))
      direct = on_network(network, name.substr(0, name.size() - suffix.size()));
    found.insert(found.end(), direct.begin(), direct.end());
  }
  return found;
}

std::optional<std::vector<Ipv4>> Names::addresses(const std::string& asker, std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  const MutexLock lock(mutex_);
  auto found = visible(asker, std::string(name));
  if (found.empty()) return std::nullopt;
  std::rotate(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(turn_++ % found.size()),
              found.end());
  return found;
}

const Endpoint* Names::find_on(const std::string& network, Ipv4 address) const {
  const auto entry = networks_.find(network);
  if (entry == networks_.end()) return nullptr;
  for (const auto& [container, endpoint] : entry->second)
    if (Ipv4::parse(endpoint.ipv4) == address) return &endpoint;
  return nullptr;
}

std::optional<std::string> Names::name_of(const std::string& asker, Ipv4 address) {
  const MutexLock lock(mutex_);
  for (const auto& [network, members] : networks_) {
    const auto self = members.find(asker);
    if (self == members.end() || self->second.dns_names.empty()) continue;
    const Endpoint* found = find_on(network, address);
    if (found && !found->dns_names.empty())
      return fmt::format("{}.{}", found->dns_names.front(), found->network_name);
  }
  return std::nullopt;
}

bool Names::may_ask_outside(const std::string& asker) {
  const MutexLock lock(mutex_);
  return std::any_of(networks_.begin(), networks_.end(), [&](const auto& network) {
    const auto self = network.second.find(asker);
    return self != network.second.end() && !self->second.internal;
  });
}

}  // namespace skiff::network
