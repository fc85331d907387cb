#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "base/result.h"
#include "http/channel.h"
#include "http/exchange.h"
#include "sys/fd.h"

namespace skiff::http {

struct ServerLimits {
  std::size_t head_bytes = 64 << 10;       ///< more is answered 431
  std::chrono::seconds head_timeout{10};   ///< from a request's first byte to the end of its head
  std::chrono::seconds idle_timeout{180};  ///< between requests
  std::chrono::seconds body_timeout{0};    ///< without a byte of a request's body; 0 waits for ever
  std::chrono::seconds send_timeout{60};   ///< without progress of send_file()
  int connections = 1024;                  ///< more are answered 503; each may need a thread
  int spare_threads = 2;                   ///< idle threads kept
  std::chrono::seconds thread_idle{10};    ///< others end after this
  std::size_t stack_bytes = 512 << 10;
};

/// Serves HTTP/1.0 and 1.1 on any number of listening sockets.
///
/// All threads wait on one epoll. The thread that gets a connection's event reads the request's head, runs
/// the handler and waits again, so a request costs no hand-over between threads; a thread that starts to
/// serve makes sure that another one waits. Connections without a complete request head, and those that take
/// a file slowly, cost a descriptor and a small buffer, no thread (docs/decisions/ says why this is not an
/// io_context).
class Server {
 public:
  /// `listeners` are non-blocking. Serving starts at once. `channels` makes the channel of each connection,
  /// for TLS; without it connections are plain.
  static Result<std::unique_ptr<Server>> start(std::vector<sys::Fd> listeners, Handler handler,
                                               ServerLimits limits = {},
                                               std::shared_ptr<const ChannelFactory> channels = {});
  /// stop() and wait for all threads.
  ~Server();

  /// Connections that come from now on get theirs from `channels`: a renewed certificate.
  void set_channels(std::shared_ptr<const ChannelFactory> channels);

  /// No new connections and requests; running handlers see their stop_token; waits up to `grace` for them and
  /// then breaks their connections.
  void stop(std::chrono::milliseconds grace);

  int connections() const;
  int threads() const;

 private:
  class State;
  explicit Server(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace skiff::http
