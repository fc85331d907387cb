#include "registry/client/endpoint.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "base/strings.h"
#include "registry/client/certificates.h"
#include "spec/reference.h"

namespace skiff::registry {
namespace {

constexpr std::string_view kHub = "docker.io";
constexpr std::string_view kHubAliases[] = {"index.docker.io", "registry-1.docker.io"};
constexpr std::string_view kHubUrl = "https://registry-1.docker.io";
constexpr std::string_view kLoopback[] = {"127.0.0.0/8", "::1/128"};

struct Network {
  int family = AF_INET;
  unsigned char address[16] = {};
  unsigned length = 0;
};

std::optional<Network> parse_network(const std::string& text) {
  const auto [address, length] = cut(text, '/');
  Network network;
  const std::string host(address);
  if (::inet_pton(AF_INET, host.c_str(), network.address) != 1) {
    network.family = AF_INET6;
    if (::inet_pton(AF_INET6, host.c_str(), network.address) != 1) return std::nullopt;
  }
  const unsigned most = network.family == AF_INET ? 32 : 128;
  const auto count = length ? parse_uint(*length) : std::optional<std::uint64_t>(most);
  if (!count || *count > most) return std::nullopt;
  network.length = static_cast<unsigned>(*count);
  return network;
}

bool holds(const Network& network, int family, const unsigned char* address) {
  if (family != network.family) return false;
  const unsigned whole = network.length / 8;
  if (std::memcmp(network.address, address, whole) != 0) return false;
  const unsigned rest = network.length % 8;
  const auto mask = static_cast<unsigned char>(0xff00U >> rest);
  return rest == 0 || ((network.address[whole] ^ address[whole]) & mask) == 0;
}

/// "localhost:5000", "[::1]:5000" without the port and the brackets.
std::string host_of(std::string_view domain) {
  if (domain.starts_with('[')) return std::string(domain.substr(1, domain.find(']') - 1));
  return std::string(cut(domain, ':').first);
}

bool resolves_into(const std::string& host, const std::vector<Network>& networks) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, ::freeaddrinfo);
  for (const addrinfo* at = found; at; at = at->ai_next) {
    const void* bytes = at->ai_family == AF_INET
                            ? static_cast<const void*>(&reinterpret_cast<sockaddr_in*>(at->ai_addr)->sin_addr)
                            : &reinterpret_cast<sockaddr_in6*>(at->ai_addr)->sin6_addr;
    const auto* address = static_cast<const unsigned char*>(bytes);
    if (std::any_of(networks.begin(), networks.end(),
                    [&](const Network& network) { return holds(network, at->ai_family, address); }))
      return true;
  }
  return false;
}

std::string without_slash(std::string_view url) {
  while (url.ends_with('/')) url.remove_suffix(1);
  return std::string(url);
}

/// Whose mirror an entry of the settings is, and where it is.
std::pair<std::string, std::string_view> split_mirror(std::string_view entry) {
  const auto scheme = entry.find("://");
  const auto equals = entry.find('=');
  if (equals == std::string_view::npos || equals > scheme) return {std::string(kHub), entry};
  return {std::string(entry.substr(0, equals)), entry.substr(equals + 1)};
}

/// "https://host:port/path" -> "host:port".
std::string server_of(std::string_view url) {
  if (const auto begin = url.find("://"); begin != std::string_view::npos) url.remove_prefix(begin + 3);
  return std::string(url.substr(0, url.find('/')));
}

}  // namespace

bool is_insecure(std::string_view domain, const Settings& settings) {
  std::vector<Network> networks;
  for (const auto loopback : kLoopback) networks.push_back(*parse_network(std::string(loopback)));
  for (const auto& entry : settings.insecure) {
    if (entry == domain) return true;
    if (const auto network = parse_network(entry); network && entry.find('/') != std::string::npos)
      networks.push_back(*network);
  }
  return resolves_into(host_of(domain), networks);
}

Result<std::vector<Endpoint>> endpoints(std::string_view domain, Purpose purpose, const Settings& settings) {
  std::vector<Endpoint> ways;
  for (const auto& entry : settings.mirrors) {
    const auto [registry, url] = split_mirror(entry);
    if (purpose != Purpose::Pull || registry != domain) continue;
    const std::string server = server_of(url);
    auto trust = TRY(trust_for(server, settings));
    trust.anybody = is_insecure(server, settings);
    ways.push_back({without_slash(url), std::move(trust), true, registry});
  }
  if (domain == kHub) {
    ways.push_back({std::string(kHubUrl), TRY(trust_for(kHub, settings)), false});
    return ways;
  }
  auto trust = TRY(trust_for(domain, settings));
  const bool insecure = is_insecure(domain, settings);
  trust.anybody = insecure;
  ways.push_back({fmt::format("https://{}", domain), std::move(trust), false});
  if (insecure) ways.push_back({fmt::format("http://{}", domain), {}, false});
  return ways;
}

Result<std::string> check_mirror(std::string_view text) {
  const auto [registry, url] = split_mirror(text);
  if (url.size() < text.size()) {
    // A name parses as a reference's domain only if it looks like one: it has a dot, a port, or is localhost.
    const auto reference = spec::Reference::parse(registry + "/x");
    if (!reference.ok() || registry.contains('/') || reference->domain() != registry_of(registry))
      return fail(Kind::InvalidArgument, "invalid mirror: {} is no registry: {}", quote(registry), text);
    return registry_of(registry) + "=" + TRY(check_mirror(url));
  }
  const bool has_scheme = text.starts_with("https://") || text.starts_with("http://");
  const auto bad = [&](std::string_view why) {
    return fail(Kind::InvalidArgument, "invalid mirror: {}", fmt::format("{}: {}", why, text));
  };
  if (!has_scheme) return bad("no scheme specified for URL, must use either 'https://' or 'http://'");
  if (server_of(text).empty()) return bad("no host in URL");
  if (text.find_first_of("?#") != std::string_view::npos) return bad("query or fragment at end of the URI");
  if (text.find('@') != std::string_view::npos)
    return Error(Kind::InvalidArgument, "invalid mirror: username/password not allowed in URI");
  return without_slash(text) + "/";
}

Result<std::string> check_insecure(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (to_lower(text).starts_with(scheme))
      return fail(Kind::InvalidArgument, "insecure registry {} should not contain '://'", text);
  if (text.empty() || text.starts_with('-'))
    return fail(Kind::InvalidArgument, "insecure registry {} is not valid: invalid host \"{}\"", text, text);
  return std::string(text);
}

std::string registry_of(std::string_view server_address) {
  std::string server = server_of(server_address);
  if (server.empty()) return std::string(kHub);
  for (const auto alias : kHubAliases)
    if (server == alias) return std::string(kHub);
  return server;
}

}  // namespace skiff::registry
