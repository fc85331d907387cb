#include "sys/net/address.h"

#include <arpa/inet.h>

#include <fmt/format.h>

#include "base/strings.h"

namespace skiff::sys {

std::optional<Ipv4> Ipv4::parse(std::string_view text) {
  // inet_pton wants exactly four decimal parts, which is what Docker takes.
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return from_network_order(address.s_addr);
}

std::string Ipv4::text() const {
  return fmt::format("{}.{}.{}.{}", value >> 24, value >> 16 & 255, value >> 8 & 255, value & 255);
}

std::uint32_t Ipv4::network_order() const { return htonl(value); }

Ipv4 Ipv4::from_network_order(std::uint32_t value) { return {ntohl(value)}; }

std::optional<Prefix> Prefix::parse(std::string_view text) {
  const auto [left, right] = cut(text, '/');
  if (!right) return std::nullopt;
  const auto address = Ipv4::parse(left);
  const auto length = parse_uint(*right);
  if (!address || !length || *length > 32) return std::nullopt;
  return Prefix{*address, static_cast<int>(*length)};
}

std::string Prefix::text() const { return fmt::format("{}/{}", address.text(), length); }

std::optional<std::string> parse_mac(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    if (i + 2 < text.size() && text[i + 2] != ':') return std::nullopt;
    int byte = 0;
    for (const char c : text.substr(i, 2)) {
      const std::string_view digits = "0123456789abcdef";
      const auto digit = digits.find(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
      if (digit == std::string_view::npos) return std::nullopt;
      byte = byte << 4 | static_cast<int>(digit);
    }
    bytes.push_back(static_cast<char>(byte));
  }
  return bytes;
}

std::string format_mac(std::string_view bytes) {
  std::string out;
  for (const char c : bytes)
    out += fmt::format("{}{:02x}", out.empty() ? "" : ":", static_cast<unsigned char>(c));
  return out;
}

}  // namespace skiff::sys
