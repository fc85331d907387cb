#include "cli/specs/ports.h"

#include <arpa/inet.h>

#include "base/strings.h"
#include "cli/flags.h"

namespace skiff::cli {

namespace {

struct PortRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t size() const { return last - first; }
};

Result<PortRange> parse_range(std::string_view text) {
  if (text.empty()) return Error(Kind::InvalidArgument, "empty string specified for ports");
  const auto [first, last] = cut(text, '-');
  PortRange range;
  range.first = TRY(parse_go_uint(first, 16));
  range.last = last ? TRY(parse_go_uint(*last, 16)) : range.first;
  if (range.last < range.first)
    return fail(Kind::InvalidArgument, "invalid range specified for port: {}", text);
  return range;
}

bool is_protocol(std::string_view text) { return text == "tcp" || text == "udp" || text == "sctp"; }

bool is_address(const std::string& text) {
  unsigned char buffer[16];
  return ::inet_pton(AF_INET, text.c_str(), buffer) == 1 || ::inet_pton(AF_INET6, text.c_str(), buffer) == 1;
}

/// "target=80,published=8080,protocol=udp"
Result<std::string> from_long_form(std::string_view text) {
  std::string target, published, protocol = "tcp";
  for (const auto& field : TRY(parse_csv_line(text))) {
    const auto [key, value] = cut(field, '=');
    if (!value || value->empty()) return fail(Kind::InvalidArgument, "invalid field: {}", field);
    if (key == "target")
      target = *value;
    else if (key == "published")
      published = *value;
    else if (key == "protocol")
      protocol = *value;
    else if (key != "mode")
      return fail(Kind::InvalidArgument, "invalid field key: {}", key);
  }
  if (target.empty()) return fail(Kind::InvalidArgument, "missing mandatory field '{}'", "target");
  return fmt::format("{}:{}/{}", published, target, protocol);
}

struct Parts {
  std::string address, host, container;
};

Parts split_parts(std::string_view text) {
  const auto last = text.rfind(':');
  if (last == std::string_view::npos) return {"", "", std::string(text)};
  const std::string container(text.substr(last + 1));
  const std::string_view rest = text.substr(0, last);
  const auto before = rest.rfind(':');
  if (before == std::string_view::npos) return {"", std::string(rest), container};
  return {std::string(rest.substr(0, before)), std::string(rest.substr(before + 1)), container};
}

}  // namespace

Result<void> add_published_port(std::string_view given, PublishedPorts& ports) {
  const std::string text =
      given.find('=') == std::string_view::npos ? std::string(given) : TRY(from_long_form(given));
  const auto slash = text.rfind('/');
  const std::string protocol =
      slash == std::string::npos ? "tcp" : to_lower(std::string_view(text).substr(slash + 1));
  Parts parts = split_parts(std::string_view(text).substr(0, slash));
  if (parts.address.size() > 1 && parts.address.front() == '[' && parts.address.back() == ']')
    parts.address = parts.address.substr(1, parts.address.size() - 2);
  if (!parts.address.empty() && !is_address(parts.address))
    return fail(Kind::InvalidArgument, "invalid IP address: {}", parts.address);
  if (parts.container.empty()) return fail(Kind::InvalidArgument, "no port specified: {}<empty>", text);
  auto container = parse_range(parts.container);
  if (!container.ok()) return fail(Kind::InvalidArgument, "invalid containerPort: {}", parts.container);
  PortRange host;
  if (!parts.host.empty()) {
    auto parsed = parse_range(parts.host);
    if (!parsed.ok()) return fail(Kind::InvalidArgument, "invalid hostPort: {}", parts.host);
    host = *parsed;
    // One container port may take any port of a range of the host.
    if (host.size() != container->size() && container->size() != 0)
      return fail(Kind::InvalidArgument, "invalid ranges specified for container and host Ports: {} and {}",
                  parts.container, parts.host);
  }
  if (!is_protocol(protocol)) return fail(Kind::InvalidArgument, "invalid proto: {}", protocol);
  for (std::uint64_t i = 0; i <= container->size(); ++i) {
    const std::string key = fmt::format("{}/{}", container->first + i, protocol);
    std::string host_port;
    if (!parts.host.empty()) {
      host_port = std::to_string(host.first + i);
      if (container->size() == 0 && host.size() > 0) host_port += fmt::format("-{}", host.last);
    }
    ports.exposed[key];
    ports.bindings[key].push_back({parts.address, host_port});
  }
  return {};
}

Result<void> add_exposed_port(std::string_view text, PublishedPorts& ports) {
  if (text.find(':') != std::string_view::npos)
    return fail(Kind::InvalidArgument, "invalid port format for --expose: {}", text);
  const auto [range_text, protocol] = cut(text, '/');
  auto range = parse_range(range_text);
  if (!range.ok())
    return fail(Kind::InvalidArgument, "invalid range format for --expose: {}, error: {}", text,
                range.error().message());
  for (auto port = range->first; port <= range->last; ++port)
    ports.exposed[fmt::format("{}/{}", port, to_lower(protocol.value_or("tcp")))];
  return {};
}

}  // namespace skiff::cli
