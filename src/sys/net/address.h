#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skiff::sys {

/// An IPv4 address as a number, so that pools can count: 10.0.0.1 is 0x0a000001.
struct Ipv4 {
  std::uint32_t value = 0;

  static std::optional<Ipv4> parse(std::string_view text);
  std::string text() const;
  std::uint32_t network_order() const;
  static Ipv4 from_network_order(std::uint32_t value);
  bool is_loopback() const { return value >> 24 == 127; }
  friend auto operator<=>(const Ipv4&, const Ipv4&) = default;
};

/// An address with a prefix length: a subnet when the host bits are zero, else a host in one.
struct Prefix {
  Ipv4 address;
  int length = 0;

  /// "10.0.0.0/8"; nothing when malformed.
  static std::optional<Prefix> parse(std::string_view text);
  std::string text() const;
  std::uint32_t mask() const { return length == 0 ? 0 : ~std::uint32_t{0} << (32 - length); }
  Prefix subnet() const { return {{address.value & mask()}, length}; }
  Ipv4 first() const { return {address.value & mask()}; }
  Ipv4 last() const { return {address.value | ~mask()}; }
  bool contains(Ipv4 other) const { return (other.value & mask()) == (address.value & mask()); }
  bool contains(const Prefix& other) const { return other.length >= length && contains(other.address); }
  bool overlaps(const Prefix& other) const { return contains(other.address) || other.contains(address); }
  friend auto operator<=>(const Prefix&, const Prefix&) = default;
};

/// Six bytes of a link address, "02:42:ac:11:00:02".
std::optional<std::string> parse_mac(std::string_view text);
std::string format_mac(std::string_view bytes);

}  // namespace skiff::sys
