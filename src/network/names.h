#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread.h"
#include "network/service.h"
#include "sys/net/address.h"

namespace skiff::network {

/// Who is called what on which network: what the embedded DNS answers from. Thread-safe. Names are matched
/// without regard to case; a name may have several addresses (an alias of several containers), which come
/// rotated.
class Names {
 public:
  /// From plug to unplug. Endpoints without DNS names are only remembered as askers.
  void add(const Endpoint& endpoint);
  void remove(const std::string& container, const std::string& network);
  void rename(const std::string& container, const std::string& name, const std::vector<Endpoint>& endpoints);

  /// What `asker` sees under a name: "db", "db.backend", one of its links. Nothing for an unknown name.
  std::optional<std::vector<sys::Ipv4>> addresses(const std::string& asker, std::string_view name);
  /// "db.backend" for an address on one of the asker's networks.
  std::optional<std::string> name_of(const std::string& asker, sys::Ipv4 address);
  /// Whether the asker has a network that leads out; if not, its questions are not forwarded either.
  bool may_ask_outside(const std::string& asker);

 private:
  const Endpoint* find_on(const std::string& network, sys::Ipv4 address) const REQUIRES(mutex_);
  std::vector<sys::Ipv4> on_network(const std::string& network, const std::string& name) const
      REQUIRES(mutex_);
  std::vector<sys::Ipv4> visible(const std::string& asker, const std::string& name) const REQUIRES(mutex_);

  Mutex mutex_;
  std::size_t turn_ GUARDED_BY(mutex_) = 0;
  /// network id -> container id -> endpoint
  std::map<std::string, std::map<std::string, Endpoint>> networks_ GUARDED_BY(mutex_);
};

}  // namespace skiff::network
