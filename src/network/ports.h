#pragma once

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "base/result.h"
#include "network/service.h"
#include "sys/fd.h"
#include "sys/net/address.h"

namespace skiff::network {

/// A host port as the firewall knows it.
struct PublishedPort {
  std::string protocol;
  sys::Ipv4 host_address;
  std::uint16_t host_port = 0;
  sys::Ipv4 container_address;
  std::uint16_t container_port = 0;
  friend auto operator<=>(const PublishedPort&, const PublishedPort&) = default;
};

/// Which host ports are ours. Every one is also held by a socket that is bound but never reads, so that no
/// other program takes it and that a port which another program has is refused in a sentence. Not
/// thread-safe.
class PortReservations {
 public:
  /// Binds a socket; the error's code is the errno (EADDRINUSE ...). A seam for tests.
  using Bind =
      std::function<Result<sys::Fd>(const std::string& protocol, sys::Ipv4 address, std::uint16_t port)>;
  struct Ephemeral {
    std::uint16_t first = 32768;
    std::uint16_t last = 60999;
  };
  PortReservations(Bind bind, Ephemeral ephemeral) : bind_(std::move(bind)), ephemeral_(ephemeral) {}

  /// Takes the wanted port, the first free of a range, or any. Conflict when it is ours ("Bind for 0.0.0.0:80
  /// failed: port is already allocated") or another program's ("failed to bind host port for ...: address
  /// already in use").
  Result<PublishedPort> reserve(const PortBinding& wanted, sys::Ipv4 host_address,
                                sys::Ipv4 container_address);
  /// Takes exactly this one again, after a restart of the daemon. It counts as ours even when the bind fails.
  Result<void> retake(const PublishedPort& port);
  void release(const PublishedPort& port);

 private:
  using Key = std::tuple<std::string, std::uint16_t, sys::Ipv4>;
  bool ours(const std::string& protocol, sys::Ipv4 address, std::uint16_t port) const;
  Result<void> bind(const PublishedPort& port);
  Result<PublishedPort> reserve_any(PublishedPort port);
  Result<PublishedPort> reserve_in_range(PublishedPort port, std::uint16_t first, std::uint16_t last);

  Bind bind_;
  Ephemeral ephemeral_;
  std::map<Key, sys::Fd> held_;
  std::map<std::string, std::uint16_t> last_given_;  ///< by protocol: any-port requests go round
};

/// The kernel's own: bind(2) without listening.
Result<sys::Fd> bind_host_port(const std::string& protocol, sys::Ipv4 address, std::uint16_t port);
/// net.ipv4.ip_local_port_range.
PortReservations::Ephemeral host_ephemeral_ports();

}  // namespace skiff::network
