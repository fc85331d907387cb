#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

namespace skiff::http {

/// Where an engine listens: "unix:///run/skiff/skiff.sock", "tcp://127.0.0.1:2375", "tcp://[::1]:2375".
struct Address {
  bool is_unix = true;
  std::string path;  ///< of unix
  std::string host;  ///< of tcp
  std::uint16_t port = 0;
  /// In place of all that: a program that carries the connection (see carrier.h). Only a client has such an
  /// address; `path` then says what it is called, "ssh://host".
  std::vector<std::string> command;

  /// InvalidArgument: "unable to parse docker host `x`" and the like. A tcp address without port gets 2375.
  static Result<Address> parse(std::string_view text);
  std::string to_string() const;
};

/// Connects a blocking stream socket. A host is a numeric address, "localhost", or a name in /etc/hosts:
/// nothing here asks a name server, so that a statically linked program can use it.
Result<sys::Fd> connect(const Address& address);

struct SocketOwner {
  std::string group;  ///< owns a unix socket together with root when it exists
  unsigned mode = 0660;
};
/// Listens, non-blocking. A stale unix socket is replaced; one that answers is Conflict.
Result<sys::Fd> listen(const Address& address, const SocketOwner& owner = {});

}  // namespace skiff::http
