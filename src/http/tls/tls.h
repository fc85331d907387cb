#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "http/channel.h"

/// TLS for http::Server. A target of its own, so that programs without it do not load the library.
namespace skiff::http {

struct TlsFiles {
  std::string certificate;  ///< PEM: the server's own first, then those that lead to an authority
  std::string key;          ///< PEM
  std::string
      client_ca;  ///< PEM; clients must show a certificate that these signed. Empty: none is asked for
};

/// TLS 1.2 and newer with OpenSSL's own choice of ciphers. InvalidArgument names the file that cannot be
/// used.
Result<std::shared_ptr<const ChannelFactory>> make_tls(const TlsFiles& files);

}  // namespace skiff::http
