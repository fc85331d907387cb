#include "network/ports.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::network {
namespace {

using sys::Fd;
using sys::Ipv4;

constexpr Ipv4 kAny{0};

std::string reason(const Error& error) {
  std::string text = std::generic_category().message(error.code());
  if (!text.empty() && text[0] >= 'A' && text[0] <= 'Z') text[0] = static_cast<char>(text[0] - 'A' + 'a');
  // Go's names of errno differ from strerror's in a few places; this is the one people meet here.
  return error.code() == EADDRNOTAVAIL ? "cannot assign requested address" : text;
}

std::string describe_port(const PublishedPort& port, const std::string& host_ports) {
  return fmt::format("{}:{}:{}:{}/{}", port.host_address.text(), host_ports, port.container_address.text(),
                     port.container_port, port.protocol);
}

}  // namespace

bool PortReservations::ours(const std::string& protocol, Ipv4 address, std::uint16_t port) const {
  for (auto it = held_.lower_bound({protocol, port, kAny});
       it != held_.end() && std::get<0>(it->first) == protocol && std::get<1>(it->first) == port; ++it) {
    const Ipv4 held = std::get<2>(it->first);
    if (held == address || held == kAny || address == kAny) return true;
  }
  return false;
}

Result<void> PortReservations::bind(const PublishedPort& port) {
  Fd fd = TRY(bind_(port.protocol, port.host_address, port.host_port));
  held_[{port.protocol, port.host_port, port.host_address}] = std::move(fd);
  return {};
}

Result<PublishedPort> PortReservations::reserve_any(PublishedPort port) {
  const int count = ephemeral_.last - ephemeral_.first + 1;
  auto [last, fresh] =
      last_given_.try_emplace(port.protocol, static_cast<std::uint16_t>(ephemeral_.first - 1));
  for (int tried = 0; tried < count; ++tried) {
    last->second =
        last->second >= ephemeral_.last ? ephemeral_.first : static_cast<std::uint16_t>(last->second + 1);
    port.host_port = last->second;
    if (ours(port.protocol, port.host_address, port.host_port)) continue;
    const auto bound = bind(port);
    if (bound.ok()) return port;
    if (bound.error().code() != EADDRINUSE)
      return fail(bound.error().kind(), "failed to bind host port for {}: {}", describe_port(port, "0"),
                  reason(bound.error()));
  }
  return fail(Kind::Exhausted, "all ports are allocated");
}

Result<PublishedPort> PortReservations::reserve_in_range(PublishedPort port, std::uint16_t first,
                                                         std::uint16_t last) {
  std::optional<Error> failure;
  for (int candidate = first; candidate <= last; ++candidate) {
    port.host_port = static_cast<std::uint16_t>(candidate);
    if (ours(port.protocol, port.host_address, port.host_port)) {
      failure = fail(Kind::Conflict, "Bind for {}:{} failed: port is already allocated",
                     port.host_address.text(), candidate);
      continue;
    }
    const auto bound = bind(port);
    if (bound.ok()) return port;
    failure = first == last
                  ? fail(bound.error().kind(), "failed to bind host port for {}: {}",
                         describe_port(port, std::to_string(candidate)), reason(bound.error()))
                  : fail(bound.error().kind(), "failed to bind host port {} for {}: {}", candidate,
                         describe_port(port, fmt::format("{}-{}", first, last)), reason(bound.error()));
  }
  return *std::move(failure);
}

Result<PublishedPort> PortReservations::reserve(const PortBinding& wanted, Ipv4 host_address,
                                                Ipv4 container_address) {
  const PublishedPort port{wanted.protocol, host_address, wanted.host_port, container_address,
                           wanted.container_port};
  if (wanted.host_port == 0) return reserve_any(port);
  return reserve_in_range(port, wanted.host_port, std::max(wanted.host_port, wanted.host_port_end));
}

Result<void> PortReservations::retake(const PublishedPort& port) {
  held_[{port.protocol, port.host_port, port.host_address}] = Fd();
  return bind(port);
}

void PortReservations::release(const PublishedPort& port) {
  held_.erase({port.protocol, port.host_port, port.host_address});
}

Result<Fd> bind_host_port(const std::string& protocol, Ipv4 address, std::uint16_t port) {
  const bool datagrams = protocol == "udp";
  const bool sctp = protocol == "sctp";
  Fd fd(::socket(AF_INET, (datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, sctp ? IPPROTO_SCTP : 0));
  if (!fd) {
    // A kernel without SCTP sockets can still forward it; nobody could hold the port anyway.
    if (sctp) return Fd();
    return fail_errno("socket");
  }
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = address.network_order();
  const auto try_bind = [&] {
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  };
  if (try_bind()) return fd;
  if (errno == EADDRINUSE && !datagrams) {
    // Connections of an earlier owner that wait out their TIME_WAIT are no reason to refuse; a listener is,
    // and listen(2) tells the one from the other.
    const int one = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (try_bind() && ::listen(fd.get(), 1) == 0) return fd;
  }
  return fail_errno("bind {}:{}", address.text(), port);
}

PortReservations::Ephemeral host_ephemeral_ports() {
  PortReservations::Ephemeral range;
  const auto text = sys::read_file("/proc/sys/net/ipv4/ip_local_port_range");
  if (!text.ok()) return range;
  const auto [low, high] = cut(trim(*text), '\t');
  const auto first = parse_uint(low);
  const auto last = high ? parse_uint(trim(*high)) : std::nullopt;
  if (first && last && *first > 0 && *first <= *last && *last <= 65535) {
    range.first = static_cast<std::uint16_t>(*first);
    range.last = static_cast<std::uint16_t>(*last);
  }
  return range;
}

}  // namespace skiff::network
