#include "client/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace skiff::client {

Result<Endpoint> Endpoint::parse(std::string_view text) {
  Endpoint endpoint;
  endpoint.url = text;
  const auto mark = text.find("://");
  const std::string_view scheme = mark == std::string_view::npos ? "tcp" : text.substr(0, mark);
  std::string_view rest = mark == std::string_view::npos ? text : text.substr(mark + 3);
  if (mark == std::string_view::npos) endpoint.url = "tcp://" + endpoint.url;
  if (scheme == "unix") {
    endpoint.path = rest.empty() ? "/run/skiff/skiff.sock" : std::string(rest);
    endpoint.url = "unix://" + endpoint.path;
    return endpoint;
  }
  if (scheme == "ssh")
    return fail(Kind::Unsupported, "connections over ssh are not supported: forward the engine's socket instead");
  if (scheme != "tcp" && scheme != "http")
    return fail(Kind::InvalidArgument, "invalid bind address format: {}", text);
  endpoint.is_unix = false;
  rest = rest.substr(0, rest.find('/'));
  const auto colon = rest.rfind(':');
  const bool has_port = colon != std::string_view::npos && rest.find(']', colon) == std::string_view::npos;
  endpoint.port = has_port && colon + 1 < rest.size() ? std::string(rest.substr(colon + 1)) : "2375";
  std::string_view host = has_port ? rest.substr(0, colon) : rest;
  if (host.size() > 1 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  endpoint.host = host.empty() ? "127.0.0.1" : std::string(host);
  if (mark == std::string_view::npos && !has_port) endpoint.url += ":2375";
  const auto number = parse_uint(endpoint.port);
  if (!number || *number > 65535) return fail(Kind::InvalidArgument, "invalid bind address format: {}", text);
  return endpoint;
}

Error cannot_connect(const Endpoint& endpoint) {
  return fail(Kind::Unavailable, "Cannot connect to the Docker daemon at {}. Is the docker daemon running?",
              endpoint.url);
}

namespace {

Error connect_error(const Endpoint& endpoint, int code) {
  if (code != EACCES && code != EPERM) return cannot_connect(endpoint);
  return Error(Kind::Forbidden,
               fmt::format("permission denied while trying to connect to the Docker daemon socket at {}: connect: "
                           "permission denied",
                           endpoint.url));
}

Result<sys::Fd> connect_unix(const Endpoint& endpoint) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (endpoint.path.size() >= sizeof address.sun_path) return cannot_connect(endpoint);
  std::memcpy(address.sun_path, endpoint.path.data(), endpoint.path.size());
  sys::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket");
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    if (errno != EINTR) return connect_error(endpoint, errno);
  return socket;
}

/// Literal addresses and localhost: a static program has no resolver to ask (getaddrinfo loads modules).
Result<sockaddr_storage> address_of(const Endpoint& endpoint, socklen_t& size) {
  sockaddr_storage storage{};
  const auto port = htons(static_cast<std::uint16_t>(parse_uint(endpoint.port).value_or(0)));
  auto* four = reinterpret_cast<sockaddr_in*>(&storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&storage);
  const std::string host = endpoint.host == "localhost" ? "127.0.0.1" : endpoint.host;
  if (::inet_pton(AF_INET, host.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = port;
    size = sizeof *four;
    return storage;
  }
  if (::inet_pton(AF_INET6, host.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = port;
    size = sizeof *six;
    return storage;
  }
  return fail(Kind::Unavailable, "error during connect: lookup {}: no such host (give the engine's numeric address)",
              endpoint.host);
}

}  // namespace

Result<sys::Fd> Endpoint::connect() const {
  if (is_unix) return connect_unix(*this);
  socklen_t size = 0;
  const sockaddr_storage address = TRY(address_of(*this, size));
  sys::Fd socket(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket");
  while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    if (errno != EINTR) return connect_error(*this, errno);
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

}  // namespace skiff::client
