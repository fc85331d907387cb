#include "engine/network_probe.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/strings.h"
#include "http/parser.h"
#include "sys/fd.h"

namespace skiff::engine {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kLongestAnswer = 64 << 10;
constexpr std::chrono::milliseconds kStopCheck{100};

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

std::optional<SocketAddress> socket_address(const std::string& address, std::uint16_t port) {
  SocketAddress result;
  auto* four = reinterpret_cast<sockaddr_in*>(&result.storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&result.storage);
  if (::inet_pton(AF_INET, address.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    result.size = sizeof *four;
    return result;
  }
  if (::inet_pton(AF_INET6, address.c_str(), &six->sin6_addr) != 1) return std::nullopt;
  six->sin6_family = AF_INET6;
  six->sin6_port = htons(port);
  result.size = sizeof *six;
  return result;
}

/// "[::1]:80", "10.0.0.1:80", ":80", "80", "10.0.0.1". False: none of them.
bool read_authority(std::string_view text, NetworkProbe& probe) {
  std::string_view address = text;
  std::optional<std::string_view> port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return false;
    address = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && rest[0] != ':') return false;
    if (!rest.empty()) port = rest.substr(1);
  } else if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    address = text.substr(0, colon);
    port = text.substr(colon + 1);
  } else if (parse_uint(text)) {
    address = {};
    port = text;
  }
  if (port) {
    const auto number = parse_uint(*port);
    if (!number || *number == 0 || *number > 65535) return false;
    probe.port = static_cast<std::uint16_t>(*number);
  } else if (!probe.http) {
    return false;
  }
  if (address == "localhost" || address.empty()) return true;
  probe.address = address;
  return socket_address(probe.address, probe.port).has_value();
}

/// A connection with a deadline.
class Conversation {
 public:
  Conversation(Clock::time_point deadline, const std::stop_token& stop) : deadline_(deadline), stop_(stop) {}

  Result<void> connect(const NetworkProbe& probe) {
    const auto target = socket_address(probe.address, probe.port);
    if (!target) return fail(Kind::InvalidArgument, "{} is no address", quote(probe.address));
    socket_ = sys::Fd(::socket(target->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_.valid()) return fail_errno("socket");
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&target->storage), target->size) == 0)
      return {};
    if (errno != EINPROGRESS) return fail_errno("connect");
    TRY(await(POLLOUT));
    int code = 0;
    socklen_t size = sizeof code;
    if (::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &code, &size) != 0) return fail_errno("connect");
    if (code != 0) return Error::from_errno("connect", code);
    return {};
  }

  Result<void> send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count >= 0)
        bytes.remove_prefix(static_cast<std::size_t>(count));
      else if (errno == EAGAIN)
        TRY(await(POLLOUT));
      else if (errno != EINTR)
        return fail_errno("send");
    }
    return {};
  }

  /// What came; "" at the end.
  Result<std::string_view> receive() {
    while (true) {
      const ssize_t count = ::recv(socket_.get(), buffer_, sizeof buffer_, 0);
      if (count >= 0) return std::string_view(buffer_, static_cast<std::size_t>(count));
      if (errno == EAGAIN)
        TRY(await(POLLIN));
      else if (errno != EINTR)
        return fail_errno("receive");
    }
  }

 private:
  Result<void> await(short what) {
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()) +
                        std::chrono::milliseconds(1);
      if (stop_.stop_requested() || left.count() <= 0) return Error(Kind::Cancelled, "no answer in time");
      pollfd waiting{socket_.get(), what, 0};
      const int ready = ::poll(&waiting, 1, static_cast<int>(std::min(left, kStopCheck).count()));
      if (ready < 0 && errno != EINTR) return fail_errno("poll");
      if (ready > 0) return {};
    }
  }

  const Clock::time_point deadline_;
  const std::stop_token& stop_;
  sys::Fd socket_;
  char buffer_[4096];
};

Result<ProbeResult> converse(const NetworkProbe& probe, Conversation& conversation) {
  TRY(conversation.connect(probe));
  if (!probe.http)
    return ProbeResult{.healthy = true, .output = fmt::format("connected to port {}", probe.port)};
  const bool six = probe.address.find(':') != std::string::npos;
  TRY(conversation.send(fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}{}{}:{}\r\nUser-Agent: Skiff-Health\r\nConnection: close\r\n\r\n",
      probe.path, six ? "[" : "", probe.address, six ? "]" : "", probe.port)));
  http::MessageParser parser(http::MessageParser::Side::Response, kLongestAnswer);
  std::string text;
  std::string body;
  while (!parser.head_done()) {
    const std::size_t eaten = text.empty() ? 0 : TRY(parser.feed(text, body));
    text.erase(0, eaten);
    if (parser.head_done() || eaten > 0) continue;
    const std::string_view more = TRY(conversation.receive());
    if (more.empty()) return Error(Kind::Unavailable, "the connection was closed before an answer came");
    text += more;
  }
  const auto& head = parser.head();
  return ProbeResult{.healthy = head.status >= 200 && head.status < 400,
                     .output = fmt::format("GET {}: {} {}", probe.path, head.status, head.reason)};
}

}  // namespace

Result<std::optional<NetworkProbe>> parse_network_probe(const std::vector<std::string>& test) {
  if (test.empty() || (test[0] != "TCP" && test[0] != "HTTP")) return std::optional<NetworkProbe>();
  NetworkProbe probe{.http = test[0] == "HTTP"};
  const auto wrong = [&] {
    return fail(Kind::InvalidArgument, "invalid {} health check {}: expected {} with a numeric ADDRESS",
                test[0], quote(test.size() > 1 ? test[1] : ""),
                probe.http ? "[http://ADDRESS][:PORT][/PATH]" : "[ADDRESS:]PORT");
  };
  if (test.size() != 2 || test[1].empty()) return wrong();
  std::string_view text = test[1];
  if (std::any_of(text.begin(), text.end(), [](unsigned char c) { return c <= ' ' || c == 0x7f; }))
    return wrong();
  if (probe.http) {
    if (text.starts_with("http://")) text.remove_prefix(7);
    if (const auto slash = text.find('/'); slash != std::string_view::npos) {
      probe.path = text.substr(slash);
      text = text.substr(0, slash);
    }
    if (text.empty()) return std::optional(probe);
  }
  if (!read_authority(text, probe)) return wrong();
  return std::optional(probe);
}

ProbeResult run_network_probe(const NetworkProbe& probe, std::chrono::nanoseconds timeout,
                              const std::stop_token& stop) {
  Conversation conversation(Clock::now() + std::chrono::duration_cast<Clock::duration>(timeout), stop);
  auto result = converse(probe, conversation);
  if (result.ok()) return *std::move(result);
  return {.timed_out = result.error().kind() == Kind::Cancelled, .output = result.error().message()};
}

}  // namespace skiff::engine
