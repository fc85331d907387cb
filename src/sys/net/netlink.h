#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

struct nlmsghdr;

namespace skiff::sys {

/// One request of a batch: what it is for, for the error message, and where its reply is expected.
struct NetlinkRequest {
  std::uint32_t sequence = 0;
  std::string what;
  int tolerated = 0;  ///< an errno that counts as success, e.g. EEXIST for "add if missing"
};

/// A netlink socket (netlink(7)). It belongs to the network namespace of the thread that opened it, whoever
/// uses it later. Not thread-safe.
class NetlinkSocket {
 public:
  static Result<NetlinkSocket> open(int protocol);

  /// Sends `messages` at once and reads one acknowledgement for every request. The kernel works on the
  /// messages one after the other, before send returns; all are tried, and the first failure is returned.
  Result<void> acknowledge(std::string_view messages, const std::vector<NetlinkRequest>& requests);
  /// Sends `messages` (a whole nfnetlink transaction) and gives every error the kernel reports to `failed`.
  Result<void> transact(std::string_view messages,
                        const std::function<void(std::uint32_t sequence, int code)>& failed);
  /// Sends one dump or get request and gives every answer to `each`.
  Result<void> query(std::string_view message, const std::function<void(const nlmsghdr&)>& each);

  std::uint32_t next_sequence() { return ++sequence_; }
  const Fd& fd() const { return fd_; }

 private:
  explicit NetlinkSocket(Fd fd) : fd_(std::move(fd)) {}
  Result<void> send(std::string_view messages);
  /// Reads one datagram; 0 with `wait` false when there is none.
  Result<std::size_t> receive(bool wait);

  Fd fd_;
  std::uint32_t sequence_ = 0;
  std::vector<char> buffer_ = std::vector<char>(64 << 10);
};

/// Runs `body` on a thread of its own that has entered the network namespace, so that this thread stays where
/// it is.
Result<void> in_network_namespace(const Fd& network_namespace, const std::function<Result<void>()>& body);

}  // namespace skiff::sys
