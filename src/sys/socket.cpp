#include "sys/socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "sys/file.h"
#include "sys/path.h"

namespace skiff::sys {
namespace {

constexpr std::size_t kMaxPacket = 1 << 20;

/// A socket address for `path`. A path too long for sun_path is reached through its folder, which `keep`
/// holds open.
Result<sockaddr_un> address_of(const std::string& path, Fd& keep) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::string text = path;
  if (text.size() >= sizeof address.sun_path) {
    keep = TRY(open_file(std::string(dir_name(path)), O_PATH | O_DIRECTORY));
    text = fd_path(keep) + "/" + std::string(base_name(path));
  }
  if (text.size() >= sizeof address.sun_path)
    return fail(Kind::InvalidArgument, "socket name {} is too long", path);
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

Result<Fd> unix_socket(int type) {
  Fd fd(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  return fd;
}

/// fchmod on the unbound socket makes bind(2) create the file with that mode: there is no moment of wider
/// rights. The mask of the process still counts.
Result<Fd> bound_socket(const std::string& path, int type, mode_t mode) {
  Fd keep;
  const sockaddr_un address = TRY(address_of(path, keep));
  Fd fd = TRY(unix_socket(type));
  if (::fchmod(fd.get(), mode) != 0) return fail_errno("chmod socket {}", path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno("bind {}", path);
  return fd;
}

Result<Fd> listening_socket(const std::string& path, int type) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno("remove {}", path);
  Fd fd = TRY(bound_socket(path, type, 0600));
  if (::listen(fd.get(), 16) != 0) return fail_errno("listen {}", path);
  return fd;
}

/// A name that begins with "@" has no file, and its length counts.
Result<Fd> connected_socket(const std::string& name, int type) {
  Fd keep;
  sockaddr_un address{};
  socklen_t size = sizeof address;
  if (name.starts_with('@') && name.size() <= sizeof address.sun_path) {
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data() + 1, name.size() - 1);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  } else {
    address = TRY(address_of(name, keep));
  }
  Fd fd = TRY(unix_socket(type));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0)
    return fail_errno("connect to {}", name);
  return fd;
}

void take_descriptors(msghdr& header, std::vector<Fd>& fds) {
  for (cmsghdr* control = CMSG_FIRSTHDR(&header); control != nullptr;
       control = CMSG_NXTHDR(&header, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(control) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

}  // namespace

Result<std::pair<Fd, Fd>> packet_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno("socketpair");
  return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<Fd> listen_packets(const std::string& path) { return listening_socket(path, SOCK_SEQPACKET); }
Result<Fd> listen_streams(const std::string& path) {
  return listening_socket(path, SOCK_STREAM | SOCK_NONBLOCK);
}

Result<Fd> connect_packets(const std::string& path) { return connected_socket(path, SOCK_SEQPACKET); }
Result<Fd> connect_stream(const std::string& name) { return connected_socket(name, SOCK_STREAM); }

Result<Fd> bind_datagrams(const std::string& path, mode_t mode) {
  Fd fd = TRY(bound_socket(path, SOCK_DGRAM, mode));
  if (::chmod(path.c_str(), mode) != 0) return fail_errno("chmod socket {}", path);  // whatever the mask says
  return fd;
}

Result<Fd> connect_datagrams(const std::string& name) { return connected_socket(name, SOCK_DGRAM); }

ssize_t send_with_fds(int socket, std::string_view bytes, std::span<const int> fds, int flags) {
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = SOL_SOCKET;
    message->cmsg_type = SCM_RIGHTS;
    message->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(message), fds.data(), fds.size_bytes());
  }
  ssize_t sent = 0;
  do sent = ::sendmsg(socket, &header, MSG_NOSIGNAL | flags);
  while (sent < 0 && errno == EINTR);
  return sent;
}

Result<void> send_packet(const Fd& socket, std::string_view bytes, const std::vector<int>& fds) {
  if (fds.size() > kMaxFds) return fail(Kind::InvalidArgument, "{} descriptors in one message", fds.size());
  if (send_with_fds(socket.get(), bytes, fds) >= 0) return {};
  if (errno == EAGAIN) return Error(Kind::Unavailable, "send: the other side does not read", EAGAIN);
  return fail_errno("send");
}

Result<Packet> receive_packet(const Fd& socket) {
  // The size is asked for first (MSG_PEEK | MSG_TRUNC), so that small messages cost no megabyte.
  ssize_t size = 0;
  do size = ::recv(socket.get(), nullptr, 0, MSG_PEEK | MSG_TRUNC);
  while (size < 0 && errno == EINTR);
  if (size < 0) {
    if (errno == EAGAIN) return Error(Kind::Unavailable, "receive: nothing there", EAGAIN);
    return fail_errno("receive");
  }
  if (size == 0) return Error(Kind::Unavailable, "connection closed");
  if (static_cast<std::size_t>(size) > kMaxPacket)
    return fail(Kind::InvalidArgument, "a message of {} bytes is too large", size);

  Packet packet;
  packet.bytes.resize(static_cast<std::size_t>(size));
  iovec part{packet.bytes.data(), packet.bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  ssize_t count = 0;
  do count = ::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC);
  while (count < 0 && errno == EINTR);
  if (count < 0) return fail_errno("receive");
  take_descriptors(header, packet.fds);
  packet.bytes.resize(static_cast<std::size_t>(count));
  if ((header.msg_flags & MSG_CTRUNC) != 0)
    return fail(Kind::InvalidArgument, "too many descriptors in one message");
  return packet;
}

Result<Fd> accept_descriptor(const Fd& listener) {
  const Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer) return fail_errno("accept");
  char bytes[4096];
  iovec part{bytes, sizeof bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxFds * sizeof(int))];
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  if (::recvmsg(peer.get(), &header, MSG_CMSG_CLOEXEC) < 0) return fail_errno("receive");
  std::vector<Fd> fds;
  take_descriptors(header, fds);
  if (fds.size() != 1) return fail(Kind::InvalidArgument, "{} descriptors instead of one", fds.size());
  return std::move(fds.front());
}

}  // namespace skiff::sys
