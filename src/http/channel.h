#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <memory>

#include "base/result.h"

namespace skiff::http {

/// How bytes come from a server's socket and go to it: as they are, or through TLS. Nothing here blocks.
class Channel {
 public:
  struct Outcome {
    ssize_t count = -1;  ///< bytes moved; 0 from receive(): the peer ended; -1: nothing was moved
    short wait = 0;      ///< with -1: poll(2) for these events and try again; none: the connection is broken
  };

  virtual ~Channel() = default;
  virtual Outcome receive(int socket, char* buffer, std::size_t size) = 0;
  /// `more` says that other bytes follow at once.
  virtual Outcome send(int socket, const iovec* pieces, std::size_t count, bool more) = 0;
  virtual Outcome send_file(int socket, int file, std::uint64_t offset, std::size_t count) = 0;
  /// As receive(), into a pipe, whose room it waits for; errno is EPIPE where nobody reads that. Only for
  /// plain channels.
  virtual Outcome move(int /*socket*/, int /*pipe*/, std::size_t /*size*/) { return {}; }
  /// Says good-bye where the protocol has a word for it.
  virtual void end(int /*socket*/) {}
  /// False when what the socket carries is not what is meant: it cannot be given away (Exchange::hijack), nor
  /// its bytes be moved.
  virtual bool is_plain() const { return true; }
};

/// The socket's bytes as they are. Stateless, shared by all connections.
Channel& plain_channel();

/// Makes the channel of each connection that a server accepts. Thread-safe.
class ChannelFactory {
 public:
  virtual ~ChannelFactory() = default;
  /// `socket` stays the caller's and outlives the channel.
  virtual Result<std::unique_ptr<Channel>> make(int socket) const = 0;
};

}  // namespace skiff::http
