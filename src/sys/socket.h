#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

/// Unix sockets with descriptors travelling along (unix(7), SCM_RIGHTS).
namespace skiff::sys {

/// A connected pair of SOCK_SEQPACKET sockets: messages keep their boundaries.
Result<std::pair<Fd, Fd>> packet_pair();
/// Listens at `path` (SOCK_SEQPACKET), mode 0600. An old socket file there is replaced. Paths longer than
/// sun_path go through /proc/self/fd of their directory.
Result<Fd> listen_packets(const std::string& path);
Result<Fd> connect_packets(const std::string& path);
/// As listen_packets, for SOCK_STREAM; the listener does not block.
Result<Fd> listen_streams(const std::string& path);
/// The one descriptor that somebody who has connected to `listener` has sent. Never waits: a connection or
/// message that is not there yet is an error.
Result<Fd> accept_descriptor(const Fd& listener);

/// Connects to the stream socket `name`: a path, or with a leading "@" a name without a file (unix(7)).
Result<Fd> connect_stream(const std::string& name);
/// A datagram socket at `path`, which must not be there yet, with that mode.
Result<Fd> bind_datagrams(const std::string& path, mode_t mode);
/// A datagram socket that sends to `name`, as of connect_stream().
Result<Fd> connect_datagrams(const std::string& name);

/// sendmsg(2) of `bytes` and copies of `fds` (at most kMaxFds), with MSG_NOSIGNAL and `flags`: -1 with errno.
/// Allocates nothing: code between clone and execve may use it.
ssize_t send_with_fds(int socket, std::string_view bytes, std::span<const int> fds, int flags = 0);
constexpr std::size_t kMaxFds = 16;

struct Packet {
  std::string bytes;
  std::vector<Fd> fds;
};

/// Sends one message and copies of `fds` (at most kMaxFds). A closed peer is Unavailable, never SIGPIPE.
Result<void> send_packet(const Fd& socket, std::string_view bytes, const std::vector<int>& fds = {});
/// Receives one message of at most 1 MiB; received descriptors are close-on-exec. An orderly end is
/// Unavailable with the message "connection closed"; EAGAIN on a non-blocking socket is Unavailable with code
/// EAGAIN.
Result<Packet> receive_packet(const Fd& socket);

}  // namespace skiff::sys
