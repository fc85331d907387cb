#include "cli/session.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/strings.h"
#include "cli/demux.h"
#include "cli/terminal.h"

namespace skiff::cli {

namespace {

constexpr std::size_t kReadSize = 256 << 10;
constexpr std::size_t kMostPending = 256 << 10;
constexpr std::string_view kDetached = "read escape sequence";

/// Signals a person or a supervisor sends; faults of our own and job control stay ours.
constexpr int kForwarded[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,   SIGUSR2,
                              SIGALRM, SIGCONT, SIGIO,   SIGPWR,  SIGVTALRM, SIGPROF};

sigset_t held_signals(bool forward) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGWINCH);
  for (const int signal : kForwarded)
    if (forward || signal == SIGHUP || signal == SIGINT || signal == SIGTERM || signal == SIGQUIT)
      sigaddset(&set, signal);
  return set;
}

/// Finds the detach keys in what is typed; bytes that may be their start are held back.
class KeyWatch {
 public:
  explicit KeyWatch(std::string keys) : keys_(std::move(keys)) {}

  /// The bytes to pass on; nothing when the sequence is complete.
  std::optional<std::string> feed(std::string_view typed) {
    if (keys_.empty()) return std::string(typed);
    std::string out;
    for (const char c : typed) {
      if (c == keys_[matched_]) {
        if (++matched_ == keys_.size()) return std::nullopt;
        continue;
      }
      out += keys_.substr(0, matched_);  // as Docker: the key that breaks the sequence does not begin it anew
      out += c;
      matched_ = 0;
    }
    return out;
  }

 private:
  std::string keys_;
  std::size_t matched_ = 0;
};

class Session {
 public:
  Session(client::Hijacked connection, const SessionOptions& options, std::string keys)
      : connection_(std::move(connection)),
        options_(options),
        demultiplexer_(1, 2),
        keys_(std::move(keys)),
        framed_(connection_.multiplexed && !options.tty),
        input_(options.input) {}

  Result<void> run() {
    const sigset_t signals = held_signals(options_.forward != nullptr);
    const bool handles_signals = options_.forward || options_.tty;
    sigset_t before;
    ::sigprocmask(SIG_BLOCK, nullptr, &before);
    if (handles_signals) {
      ::sigprocmask(SIG_BLOCK, &signals, nullptr);
      signals_ = sys::Fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
    }
    if (options_.tty && input_) terminal_.enter();
    auto done = loop();
    terminal_.restore();
    if (stop_signal_ != 0) {
      ::signal(stop_signal_, SIG_DFL);
      ::sigprocmask(SIG_UNBLOCK, &signals, nullptr);
      ::raise(stop_signal_);
    }
    return done;
  }

 private:
  Result<void> loop() {
    TRY(output(connection_.received));
    const auto buffer = std::make_unique_for_overwrite<char[]>(kReadSize);
    while (stop_signal_ == 0) {
      const bool wants_input = input_ && pending_.size() < kMostPending;
      pollfd fds[3] = {
          {connection_.socket.get(), static_cast<short>(POLLIN | (pending_.empty() ? 0 : POLLOUT)), 0},
          {wants_input ? 0 : -1, POLLIN, 0},
          {signals_.get(), POLLIN, 0}};
      if (::poll(fds, 3, -1) < 0) {
        if (errno == EINTR) continue;
        return fail_errno("poll");
      }
      if (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) {
        const ssize_t got = ::recv(connection_.socket.get(), buffer.get(), kReadSize, 0);
        if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) return {};
        if (got > 0) TRY(output(std::string_view(buffer.get(), static_cast<std::size_t>(got))));
      }
      if (fds[0].revents & POLLOUT) send_pending();
      if (fds[1].revents != 0) TRY(read_input());
      if (fds[2].revents & POLLIN) handle_signals();
    }
    return {};
  }

  Result<void> output(std::string_view bytes) {
    if (framed_) return demultiplexer_.feed(bytes);
    write_fully(1, bytes);
    return {};
  }

  Result<void> read_input() {
    char typed[64 << 10];
    const ssize_t got = ::read(0, typed, sizeof typed);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
    if (got <= 0) {
      input_ = false;
      end_of_input_ = true;
      send_pending();
      return {};
    }
    auto passed = keys_.feed(std::string_view(typed, static_cast<std::size_t>(got)));
    if (!passed) return Error(Kind::Cancelled, std::string(kDetached));
    pending_ += *passed;
    send_pending();
    return {};
  }

  /// Sends what the engine takes now; at the end of our input the engine is told by a half close.
  void send_pending() {
    std::size_t sent = 0;
    while (sent < pending_.size()) {
      const ssize_t count = ::send(connection_.socket.get(), pending_.data() + sent, pending_.size() - sent,
                                   MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) break;
      if (count <= 0) {  // the process takes no more input
        sent = pending_.size();
        input_ = false;
        break;
      }
      sent += static_cast<std::size_t>(count);
    }
    pending_.erase(0, sent);
    if (pending_.empty() && end_of_input_) {
      ::shutdown(connection_.socket.get(), SHUT_WR);
      end_of_input_ = false;
    }
  }

  void handle_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGWINCH) {
        const auto size = terminal_size();
        if (options_.tty && options_.resize && size) options_.resize(size->first, size->second);
      } else if (options_.forward) {
        options_.forward(signal_name(signal));
      } else {
        stop_signal_ = signal;  // dies of it once the terminal is itself again
      }
    }
  }

  client::Hijacked connection_;
  const SessionOptions& options_;
  Demultiplexer demultiplexer_;
  KeyWatch keys_;
  RawTerminal terminal_;
  sys::Fd signals_;
  std::string pending_;  ///< read from our input, not yet taken by the engine
  bool framed_;
  bool input_;
  bool end_of_input_ = false;
  int stop_signal_ = 0;
};

}  // namespace

Result<std::string> parse_detach_keys(std::string_view text) {
  std::string keys;
  for (const auto& key : split(text, ',')) {
    if (key.size() == 1) {
      keys += key;
      continue;
    }
    if (key == "DEL") {
      keys += '\x7f';
      continue;
    }
    if (key.starts_with("ctrl-") && key.size() == 6) {
      const char c = key[5];
      const auto symbol = std::string_view("[\\]^_").find(c);
      if (c == '@')
        keys += '\0';
      else if (c >= 'a' && c <= 'z')
        keys += static_cast<char>(c - 'a' + 1);
      else if (symbol != std::string_view::npos)
        keys += static_cast<char>(27 + symbol);
      else
        return fail(Kind::InvalidArgument, "unknown character: '{}'", key);
      continue;
    }
    return fail(Kind::InvalidArgument, "unknown character: '{}'", key);
  }
  return keys;
}

bool is_detached(const Error& error) {
  return error.kind() == Kind::Cancelled && error.message() == kDetached;
}

void hold_signals() {
  const sigset_t signals = held_signals(true);
  ::sigprocmask(SIG_BLOCK, &signals, nullptr);
}

Result<void> run_session(client::Hijacked connection, const SessionOptions& options) {
  std::string keys;
  if (options.tty)
    keys = TRY(parse_detach_keys(options.detach_keys.empty() ? "ctrl-p,ctrl-q" : options.detach_keys));
  return Session(std::move(connection), options, std::move(keys)).run();
}

Result<void> check_terminal(bool wants_input, bool tty) {
  if (wants_input && tty && ::isatty(0) != 1)
    return Error(Kind::InvalidArgument, "the input device is not a TTY");
  return {};
}

std::string signal_name(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name ? name : std::to_string(signal);
}

}  // namespace skiff::cli
