#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/client.h"
#include "http/fields.h"

namespace skiff::http {

/// Who we are, to a server that wants to know: PEM files.
struct WebIdentity {
  std::string certificate;  ///< with the chain behind it
  std::string key;
  friend bool operator==(const WebIdentity&, const WebIdentity&) = default;
};

/// Whom to believe about a server's name, and who we are.
struct WebTrust {
  bool anybody = false;     ///< certificates are not checked
  std::string authorities;  ///< PEM text of further ones, beside the system's
  /// Shown is the first of an authority that the server names, as Go's programs choose.
  std::vector<WebIdentity> identities;
  friend bool operator==(const WebTrust&, const WebTrust&) = default;
};

struct WebRequest {
  std::string method = "GET";
  std::string url;  ///< http or https
  Fields fields;
  BodySource source;                       ///< the body, if there is one
  std::optional<std::uint64_t> body_size;  ///< of `source`; sent chunked when it is not known
  int redirects = 0;                       ///< how many are followed; with credentials of ours: none
};

struct WebResponse {
  int status = 0;
  std::string reason;                    ///< "Not Found"
  Fields fields;                         ///< of the last answer
  std::string body;                      ///< when nobody took it; its first megabytes
  std::optional<std::int64_t> modified;  ///< Last-Modified, seconds since 1970
  bool ok() const { return status >= 200 && status < 300; }
};

/// Takes an answer's body as it comes. The head is complete, except for its body. An error ends the transfer.
using WebSink = std::function<Result<void>(const WebResponse& head, std::string_view piece)>;

/// Requests to servers of the web, one after the other: through the proxies of the environment, with the
/// system's authorities, over HTTP/2 where the server has it, and over kept connections. Blocking; not
/// thread-safe. libcurl does the work (docs/decisions/0010).
class WebSession {
 public:
  static Result<std::unique_ptr<WebSession>> open(WebTrust trust);
  virtual ~WebSession() = default;

  /// An answer of any status is a success. Unavailable `Get "<url>": <why>`, where why is what Docker says
  /// ("dial tcp 127.0.0.1:5000: connect: connection refused"); its code() is nonzero when the server was
  /// never reached, so that nothing can have been done. Cancelled at once when `stop` says so. Errors of the
  /// source and the sink come back as they are.
  virtual Result<WebResponse> perform(const WebRequest& request, const std::stop_token& stop,
                                      const WebSink& sink = {}) = 0;
};

}  // namespace skiff::http
