#include "http/client.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "http/carrier.h"
#include "http/parser.h"
#include "sys/file.h"

namespace skiff::http {
namespace {

constexpr std::size_t kPieceSize = 64 << 10;
/// Answers that come while the request is still being sent are kept up to this.
constexpr std::size_t kMostEarlyAnswer = 1 << 20;
constexpr std::uint64_t kMostOfFile = 1 << 20;  ///< sent at once, so that early answers are seen

/// sendfile(2) has no MSG_NOSIGNAL, and the command line dies of SIGPIPE as others do when nobody reads its
/// output.
class NoPipeSignal {
 public:
  NoPipeSignal() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    ::sigpending(&pending);
    was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoPipeSignal() {
    const timespec at_once = {};
    if (!was_pending_)
      while (::sigtimedwait(&pipe_, nullptr, &at_once) < 0 && errno == EINTR) {
      }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoPipeSignal(const NoPipeSignal&) = delete;
  NoPipeSignal& operator=(const NoPipeSignal&) = delete;

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_;
};

/// Whether an errno of sendfile(2) is the socket's; else it is the file's.
bool of_socket(int code) {
  return code == EPIPE || code == ECONNRESET || code == ENOTCONN || code == ETIMEDOUT ||
         code == EHOSTUNREACH || code == ENETUNREACH;
}

}  // namespace

struct Client::State {
  explicit State(Address where) : address(std::move(where)) {}

  Result<void> connect();
  /// The server is gone: why, where somebody can tell.
  Error broken() const;
  Result<void> send_all(std::string_view bytes);
  Result<void> send_body(const ClientRequest& request);
  Result<void> send_file(const ClientRequest& request);
  Result<void> wait_for_room();
  Result<void> take_early(const ClientRequest& request);
  void start_parser(const ClientRequest& request);
  Result<void> receive();
  Result<std::size_t> read_plain(char* to, std::size_t size);
  Result<void> read_head(const ClientRequest& request);
  Result<void> transmit(const ClientRequest& request);
  bool refused_early() const {
    if (parser && parser->head_done()) return parser->head().status >= 400;
    return buffer.starts_with("HTTP/1.1 4") || buffer.starts_with("HTTP/1.1 5");
  }
  void disconnect() {
    socket.reset();
    carrier.reset();
    buffer.clear();
    body.clear();
  }

  Address address;
  sys::Fd socket;
  std::optional<Carrier> carrier;  ///< of the socket
  std::string buffer;              ///< received, not yet eaten
  std::string body;                ///< eaten, not yet read
  std::optional<MessageParser> parser;
  bool reusable = false;
};

Result<void> Client::State::connect() {
  if (address.command.empty()) {
    socket = TRY(http::connect(address));
    return {};
  }
  auto [fd, program] = TRY(Carrier::start(address.command));
  socket = std::move(fd);
  carrier = std::move(program);
  return {};
}

Error Client::State::broken() const {
  if (carrier && buffer.empty() && !(parser && parser->head_done())) return carrier->failure();
  return {Kind::Unavailable, "the connection to the engine broke"};
}

/// Sends everything, and takes in what the server says meanwhile: a server that answers before it has read
/// the whole request must not block on us while we block on it.
Result<void> Client::State::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return broken();
    TRY(wait_for_room());
  }
  return {};
}

Result<void> Client::State::wait_for_room() {
  pollfd poll{socket.get(), POLLOUT, 0};
  if (buffer.size() < kMostEarlyAnswer) poll.events |= POLLIN;
  if (::poll(&poll, 1, -1) < 0 && errno != EINTR) return fail_errno("poll");
  if ((poll.revents & POLLIN) && !(poll.revents & POLLOUT)) TRY(receive());
  return refused_early() ? broken() : success();
}

void Client::State::start_parser(const ClientRequest& request) {
  parser.emplace(MessageParser::Side::Response);
  if (request.method == "HEAD") parser->expect_no_body();
}

/// Reads what is there of the answer, without waiting for more.
Result<void> Client::State::take_early(const ClientRequest& request) {
  char piece[kPieceSize];
  ssize_t count = 0;
  while ((count = ::recv(socket.get(), piece, sizeof piece, MSG_DONTWAIT)) > 0)
    buffer.append(piece, static_cast<std::size_t>(count));
  while (!buffer.empty()) {
    if (!parser || (parser->head_done() && parser->head().status == 100)) start_parser(request);
    const std::size_t eaten = TRY(parser->feed(buffer, body));
    if (eaten == 0) break;
    buffer.erase(0, eaten);
  }
  if (body.empty() || refused_early()) return {};
  return request.early(std::exchange(body, ""));
}

Result<void> Client::State::send_body(const ClientRequest& request) {
  // One buffer holds the chunk's head, its bytes and its end, so that each chunk is one system call.
  constexpr std::size_t kHead = 8;
  std::string chunk(kHead + kPieceSize + 2, '\0');
  while (const std::size_t count = TRY(request.source(chunk.data() + kHead, kPieceSize))) {
    const std::string head = fmt::format("{:06x}\r\n", count);
    std::memcpy(chunk.data(), head.data(), kHead);
    chunk[kHead + count] = '\r';
    chunk[kHead + count + 1] = '\n';
    TRY(send_all(std::string_view(chunk).substr(0, kHead + count + 2)));
    if (request.early) TRY(take_early(request));
  }
  return send_all("0\r\n\r\n");
}

Result<void> Client::State::send_file(const ClientRequest& request) {
  const NoPipeSignal quiet;
  // Nor is there a flag for not waiting: the socket is told, as long as this lasts.
  const int flags = ::fcntl(socket.get(), F_GETFL);
  ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK);
  Result<void> sent;
  for (std::uint64_t left = request.file->length; left > 0 && sent.ok();) {
    const ssize_t count = ::sendfile(socket.get(), request.file->fd, nullptr, std::min(left, kMostOfFile));
    if (count > 0) {
      left -= static_cast<std::uint64_t>(count);
      if (request.early) sent = take_early(request);
    } else if (count == 0) {
      sent = fail(Kind::DataLoss, "the file has become shorter while it was sent");
    } else if (errno == EAGAIN) {
      sent = wait_for_room();
    } else if (of_socket(errno)) {
      sent = broken();
    } else if (errno != EINTR) {
      sent = fail_errno("read the file that is sent");
    }
  }
  if (socket) ::fcntl(socket.get(), F_SETFL, flags);
  return sent;
}

Result<void> Client::State::receive() {
  // On the stack and not cleared: most answers are small, and only the pages that they fill are touched.
  char piece[kPieceSize];
  ssize_t count = 0;
  do count = ::recv(socket.get(), piece, sizeof piece, 0);
  while (count < 0 && errno == EINTR);
  if (count > 0) {
    buffer.append(piece, static_cast<std::size_t>(count));
    return {};
  }
  if (count == 0 && parser && parser->head_done()) {
    TRY(parser->end());
    reusable = false;
    return {};
  }
  return broken();
}

/// Straight into who reads.
Result<std::size_t> Client::State::read_plain(char* to, std::size_t size) {
  ssize_t count = 0;
  do count = ::recv(socket.get(), to, size, 0);
  while (count < 0 && errno == EINTR);
  if (count == 0) TRY(parser->end());
  if (count <= 0) return broken();
  parser->skip_plain_body(static_cast<std::uint64_t>(count));
  return static_cast<std::size_t>(count);
}

Result<void> Client::State::read_head(const ClientRequest& request) {
  while (true) {
    if (!parser) start_parser(request);
    while (!parser->head_done()) {
      const std::size_t eaten = buffer.empty() ? 0 : TRY(parser->feed(buffer, body));
      buffer.erase(0, eaten);
      if (eaten == 0) TRY(receive());
    }
    if (parser->head().status != 100) return {};
    parser.reset();
  }
}

Result<void> Client::State::transmit(const ClientRequest& request) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.target,
                                 address.is_unix ? std::string("api.moby.localhost") : address.host);
  head += request.fields.to_text();
  if (!request.fields.has("User-Agent")) head += "User-Agent: Skiff-Client\r\n";
  const bool has_body = request.source || request.file || !request.body.empty();
  if (has_body)
    head += "Content-Type: " + (request.content_type.empty() ? "application/json" : request.content_type) +
            "\r\n";
  if (request.source)
    head += "Transfer-Encoding: chunked\r\n";
  else if (has_body || request.method == "POST" || request.method == "PUT")
    head += fmt::format("Content-Length: {}\r\n", request.file ? request.file->length : request.body.size());
  if (request.upgrade) head += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  head += "\r\n";
  TRY(send_all(head + request.body));
  if (request.source) return send_body(request);
  return request.file ? send_file(request) : success();
}

Client::Client(Address address) : state_(std::make_unique<State>(std::move(address))) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

const Address& Client::address() const { return state_->address; }

Result<ClientResponse> Client::send(ClientRequest request) {
  auto& s = *state_;
  const bool clean =
      s.socket.valid() && s.reusable && s.parser && s.parser->done() && s.buffer.empty() && s.body.empty();
  bool kept = clean;
  if (!clean) s.disconnect();
  while (true) {
    if (!s.socket) TRY(s.connect());
    s.parser.reset();
    s.reusable = true;
    auto sent = s.transmit(request);
    // A refusal may already stand in the buffer although the sending failed.
    if (!sent.ok()) s.reusable = false;
    auto read =
        sent.ok() || sent.error().kind() == Kind::Unavailable ? s.read_head(request) : std::move(sent);
    if (read.ok()) break;
    const bool nothing_came = s.buffer.empty() && !(s.parser && s.parser->head_done());
    s.disconnect();
    // The server may have closed an idle connection at the very moment we used it.
    if (!kept || !nothing_came || request.source || request.file) return std::move(read).error();
    kept = false;
  }
  const auto& head = s.parser->head();
  if (!head.keep_alive || head.status == 101) s.reusable = false;
  ClientResponse response;
  response.client_ = this;
  response.status = head.status;
  response.reason = head.reason;
  response.fields = head.fields;
  return response;
}

Result<std::size_t> ClientResponse::read(char* buffer, std::size_t size) {
  auto& s = *client_->state_;
  while (s.body.empty()) {
    if (s.parser->done()) return std::size_t{0};
    if (const std::uint64_t left = s.parser->plain_body_left(); left > 0 && s.buffer.empty())
      return s.read_plain(buffer, static_cast<std::size_t>(std::min<std::uint64_t>(left, size)));
    const std::size_t eaten = s.buffer.empty() ? 0 : TRY(s.parser->feed(s.buffer, s.body));
    s.buffer.erase(0, eaten);
    if (eaten == 0) TRY(s.receive());
  }
  const std::size_t count = std::min(size, s.body.size());
  std::memcpy(buffer, s.body.data(), count);
  s.body.erase(0, count);
  return count;
}

Result<std::string> ClientResponse::read_all(std::size_t limit) {
  std::string out;
  std::array<char, 16384> piece;
  while (const std::size_t count = TRY(read(piece.data(), piece.size()))) {
    out.append(piece.data(), count);
    if (out.size() > limit)
      return fail(Kind::Exhausted, "the engine's answer is larger than {} bytes", limit);
  }
  return out;
}

Result<void> ClientResponse::copy_to(const sys::Fd& out) {
  std::string piece(kPieceSize, '\0');
  while (const std::size_t count = TRY(read(piece.data(), piece.size())))
    TRY(sys::write_all(out, std::string_view(piece).substr(0, count)));
  return {};
}

Result<Hijacked> ClientResponse::take_connection() {
  auto& s = *client_->state_;
  Hijacked out{std::move(s.socket), s.body + s.buffer};
  s.disconnect();
  return out;
}

int ClientResponse::socket() const { return client_->state_->socket.get(); }

}  // namespace skiff::http
