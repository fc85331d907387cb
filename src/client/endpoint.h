#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/fd.h"

namespace skiff::client {

/// Where an engine listens: a unix socket or a TCP address.
struct Endpoint {
  std::string url;   ///< as people wrote it, for messages
  bool is_unix = true;
  std::string path;  ///< of the socket
  std::string host;
  std::string port;

  /// "unix:///run/x.sock", "tcp://host:port", "http://host:port", "host:port". InvalidArgument: "invalid bind
  /// address format: ...".
  static Result<Endpoint> parse(std::string_view text);

  /// A new connected stream socket. Unavailable: "Cannot connect to the Docker daemon at <url>. Is the docker
  /// daemon running?"
  Result<sys::Fd> connect() const;
};

/// What a Docker user sees when nobody answers at `url`.
Error cannot_connect(const Endpoint& endpoint);

}  // namespace skiff::client
