#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/thread.h"
#include "sys/fd.h"

namespace skiff::network {

class Names;

/// Serves the embedded DNS of all containers on one thread: names of containers from Names, everything else
/// forwarded to the container's upstream servers from the host's namespace (UDP as UDP, TCP as TCP).
/// Thread-safe.
class DnsServer {
 public:
  /// `port` of upstream servers; other than 53 only in tests.
  explicit DnsServer(Names& names, std::uint16_t port = 53);
  ~DnsServer();

  /// `sockets`: a bound UDP and a listening TCP socket, both non-blocking. `upstream`: IPv4 addresses; others
  /// are passed over.
  Result<void> serve(const std::string& container, std::vector<sys::Fd> sockets,
                     const std::vector<std::string>& upstream);
  /// Closes the container's sockets; questions still on their way are dropped.
  void stop(const std::string& container);

  class Loop;

 private:
  Mutex mutex_;
  Names& names_;
  const std::uint16_t port_;
  std::unique_ptr<Loop> loop_ GUARDED_BY(mutex_);  ///< made with the first container
};

}  // namespace skiff::network
