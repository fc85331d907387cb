#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "cli/cli.h"
#include "cli/commands/resource_entries.h"
#include "http/address.h"
#include "http/carrier.h"

namespace skiff::cli {

namespace {

constexpr std::size_t kMostPending = 256 << 10;

/// Bytes on their way from one descriptor to another.
class Direction {
 public:
  Direction(int from, int to) : from_(from), to_(to) {}

  bool wants_input() const { return !ended_ && pending_.size() < kMostPending; }
  bool wants_output() const { return !pending_.empty(); }
  bool is_through() const { return ended_ && pending_.empty(); }

  void read() {
    char piece[64 << 10];
    const ssize_t count = ::read(from_, piece, sizeof piece);
    if (count > 0) pending_.append(piece, static_cast<std::size_t>(count));
    if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) ended_ = true;
  }

  /// Nobody takes the bytes any more: the direction is at its end.
  void write() {
    const ssize_t count = ::write(to_, pending_.data(), pending_.size());
    if (count > 0) pending_.erase(0, static_cast<std::size_t>(count));
    if (count >= 0 || errno == EINTR || errno == EAGAIN) return;
    ended_ = true;
    pending_.clear();
  }

 private:
  int from_, to_;
  std::string pending_;
  bool ended_ = false;
};

/// Keeps a descriptor from blocking, for a scope: others may share it.
class NonBlocking {
 public:
  explicit NonBlocking(int fd) : fd_(fd), flags_(::fcntl(fd, F_GETFL)) {
    ::fcntl(fd_, F_SETFL, flags_ | O_NONBLOCK);
  }
  ~NonBlocking() { ::fcntl(fd_, F_SETFL, flags_); }
  NonBlocking(const NonBlocking&) = delete;
  NonBlocking& operator=(const NonBlocking&) = delete;

 private:
  int fd_, flags_;
};

/// Copies both ways until the engine ends its side. The end of our input is passed on as a half close.
Result<void> relay(int socket) {
  ::signal(SIGPIPE, SIG_IGN);  // NOLINT(cert-err33-c): whoever went away shows in what write(2) says
  const NonBlocking input(0);
  const NonBlocking output(1);
  const NonBlocking connection(socket);
  Direction to_engine(0, socket);
  Direction from_engine(socket, 1);
  bool told = false;
  while (!from_engine.is_through()) {
    // The socket twice: an event that nobody waits for must not wake us again and again.
    pollfd fds[4] = {{to_engine.wants_input() ? 0 : -1, POLLIN, 0},
                     {from_engine.wants_output() ? 1 : -1, POLLOUT, 0},
                     {from_engine.wants_input() ? socket : -1, POLLIN, 0},
                     {to_engine.wants_output() ? socket : -1, POLLOUT, 0}};
    if (::poll(fds, 4, -1) < 0) {
      if (errno == EINTR) continue;
      return fail_errno("poll");
    }
    if (fds[0].revents != 0) to_engine.read();
    if (fds[2].revents != 0) from_engine.read();
    if (fds[3].revents != 0) to_engine.write();
    if (from_engine.wants_output()) from_engine.write();
    if (to_engine.is_through() && !std::exchange(told, true)) ::shutdown(socket, SHUT_WR);
  }
  return {};
}

/// What `ssh://` addresses start on the far side: the connection to the engine there as a pair of streams.
class DialStdio : public Command {
 public:
  Result<int> run(Cli& cli, const Arguments&) override {
    const http::Address& address = TRY(cli.engine())->address();
    if (address.command.empty()) {
      const auto socket = TRY_CONTEXT(http::connect(address), "failed to open the raw stream connection");
      TRY(relay(socket.get()));
      return 0;
    }
    const auto [socket, carrier] = TRY(http::Carrier::start(address.command));
    TRY(relay(socket.get()));
    return 0;
  }
};

}  // namespace

std::unique_ptr<Command> make::dial_stdio() { return make_command<DialStdio>(); }

}  // namespace skiff::cli
