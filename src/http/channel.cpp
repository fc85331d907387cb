#include "http/channel.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace skiff::http {
namespace {

/// sendfile(2) moves at most 2^31 - 4096 bytes in one call.
constexpr std::size_t kMostAtOnce = 1U << 30;

/// Repeats `call` while it is interrupted, and names what its errno asks for.
template <typename Call>
Channel::Outcome attempt(short events, const Call& call) {
  while (true) {
    const ssize_t count = call();
    if (count >= 0) return {count, 0};
    if (errno == EAGAIN) return {-1, events};
    if (errno != EINTR) return {-1, 0};
  }
}

class PlainChannel final : public Channel {
 public:
  Outcome receive(int socket, char* buffer, std::size_t size) override {
    return attempt(POLLIN, [&] { return ::recv(socket, buffer, size, MSG_DONTWAIT); });
  }

  Outcome send(int socket, const iovec* pieces, std::size_t count, bool more) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces);
    message.msg_iovlen = count;
    const int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
    return attempt(POLLOUT, [&] { return ::sendmsg(socket, &message, flags); });
  }

  Outcome send_file(int socket, int file, std::uint64_t offset, std::size_t count) override {
    auto position = static_cast<off_t>(offset);
    auto done =
        attempt(POLLOUT, [&] { return ::sendfile(socket, file, &position, std::min(count, kMostAtOnce)); });
    // Nothing more in the file although more was promised: the answer cannot be completed.
    if (done.count == 0) return {-1, 0};
    return done;
  }

  Outcome move(int socket, int pipe, std::size_t size) override {
    return attempt(POLLIN, [&] { return ::splice(socket, nullptr, pipe, nullptr, size, SPLICE_F_MOVE); });
  }
};

}  // namespace

Channel& plain_channel() {
  static PlainChannel channel;
  return channel;
}

}  // namespace skiff::http
