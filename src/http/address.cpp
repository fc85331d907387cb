#include "http/address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/strings.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::http {
namespace {

constexpr std::uint16_t kDefaultPort = 2375;
constexpr int kBacklog = 512;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Result<SocketAddress> unix_address(const std::string& path) {
  SocketAddress out;
  auto& address = reinterpret_cast<sockaddr_un&>(out.storage);
  if (path.size() >= sizeof address.sun_path)
    return fail(Kind::InvalidArgument, "unix socket path \"{}\" is too long", path);
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  out.size = sizeof address;
  return out;
}

bool numeric_address(const std::string& host, std::uint16_t port, SocketAddress& out) {
  auto& v4 = reinterpret_cast<sockaddr_in&>(out.storage);
  if (inet_pton(AF_INET, host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    out.size = sizeof v4;
    return true;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(out.storage);
  if (inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    out.size = sizeof v6;
    return true;
  }
  return false;
}

/// The address of a name in /etc/hosts (hosts(5)), or "".
std::string look_up(const std::string& host) {
  if (auto text = sys::read_file("/etc/hosts", 1 << 20); text.ok()) {
    for (const auto& raw : split(*text, '\n')) {
      std::string line(cut(raw, '#').first);
      for (char& c : line)
        if (c == '\t') c = ' ';
      const auto words = split(line, ' ');
      for (std::size_t i = 1; i < words.size(); ++i)
        if (equals_ignore_case(words[i], host)) return words[0];
    }
  }
  return host == "localhost" ? "127.0.0.1" : "";
}

Result<SocketAddress> tcp_address(const std::string& host, std::uint16_t port) {
  SocketAddress out;
  if (host.empty()) {
    numeric_address("0.0.0.0", port, out);
    return out;
  }
  if (numeric_address(host, port, out)) return out;
  if (numeric_address(look_up(host), port, out)) return out;
  return fail(Kind::NotFound, "lookup {}: no such host", host);
}

Result<SocketAddress> socket_address(const Address& address) {
  return address.is_unix ? unix_address(address.path) : tcp_address(address.host, address.port);
}

/// Removes a socket file that nobody listens on any more.
Result<void> clear_stale(const std::string& path, const SocketAddress& target) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  if (!S_ISSOCK(status.st_mode)) return fail(Kind::Conflict, "{} exists and is no socket", path);
  const sys::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (probe && ::connect(probe.get(), target.get(), target.size) == 0)
    return fail(Kind::Conflict, "another engine listens on {}", path);
  ::unlink(path.c_str());
  return {};
}

Result<void> give_to_group(const std::string& path, const SocketOwner& owner) {
  if (::chmod(path.c_str(), owner.mode) != 0) return fail_errno("chmod {}", path);
  const group* found = owner.group.empty() ? nullptr : ::getgrnam(owner.group.c_str());
  if (found && ::chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0)
    return fail_errno("chown {}", path);
  return {};
}

}  // namespace

Result<Address> Address::parse(std::string_view text) {
  Address out;
  const auto bad = [&] { return fail(Kind::InvalidArgument, "invalid bind address format: {}", text); };
  if (text.starts_with("unix://")) {
    out.path = text.substr(7);
    if (out.path.empty()) return bad();
    return out;
  }
  std::string_view rest = text;
  if (rest.starts_with("tcp://"))
    rest.remove_prefix(6);
  else if (rest.starts_with("http://"))
    rest.remove_prefix(7);
  else
    return fail(Kind::InvalidArgument, "unable to parse docker host `{}`", text);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  out.is_unix = false;
  out.port = kDefaultPort;
  std::string_view port;
  if (rest.starts_with('[')) {
    const auto end = rest.find(']');
    if (end == std::string_view::npos) return bad();
    out.host = rest.substr(1, end - 1);
    if (end + 1 < rest.size()) {
      if (rest[end + 1] != ':') return bad();
      port = rest.substr(end + 2);
    }
  } else {
    const auto [host, given] = cut(rest, ':');
    out.host = host;
    port = given.value_or("");
  }
  if (!port.empty()) {
    const auto number = parse_uint(port);
    if (!number || *number > 65535) return bad();
    out.port = static_cast<std::uint16_t>(*number);
  }
  return out;
}

std::string Address::to_string() const {
  if (!command.empty()) return path;
  if (is_unix) return "unix://" + path;
  const bool v6 = host.find(':') != std::string::npos;
  return "tcp://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<sys::Fd> connect(const Address& address) {
  const auto target = TRY(socket_address(address));
  sys::Fd socket(::socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno("socket");
  if (::connect(socket.get(), target.get(), target.size) != 0)
    return fail_errno("dial {}",
                      address.is_unix ? "unix " + address.path : "tcp " + address.to_string().substr(6));
  const int yes = 1;
  if (!address.is_unix) ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return socket;
}

Result<sys::Fd> listen(const Address& address, const SocketOwner& owner) {
  const auto target = TRY(socket_address(address));
  if (address.is_unix) {
    TRY(sys::make_directories(std::string(sys::dir_name(address.path))));
    TRY(clear_stale(address.path, target));
  }
  sys::Fd socket(::socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("socket");
  const int yes = 1;
  if (!address.is_unix) ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  // Nobody may connect between bind and chmod.
  const mode_t old_mask = address.is_unix ? ::umask(0177) : 0;
  const int bound = ::bind(socket.get(), target.get(), target.size);
  const int bind_errno = errno;
  if (address.is_unix) ::umask(old_mask);
  if (bound != 0) return Error::from_errno("listen " + address.to_string(), bind_errno);
  if (address.is_unix) TRY(give_to_group(address.path, owner));
  if (::listen(socket.get(), kBacklog) != 0) return fail_errno("listen {}", address.to_string());
  return socket;
}

}  // namespace skiff::http
