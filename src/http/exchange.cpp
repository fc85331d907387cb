#include "http/exchange.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>

#include "base/strings.h"
#include "http/connection.h"

namespace skiff::http {
namespace {

constexpr int kErrorPatience = 50;  ///< milliseconds

}  // namespace

std::string_view Exchange::method() const { return connection_.parser_.head().method; }
const std::string& Exchange::target() const { return connection_.parser_.head().target; }

std::string_view Exchange::path() const { return cut(target(), '?').first; }
std::string_view Exchange::query() const { return cut(target(), '?').second.value_or(std::string_view()); }
const Fields& Exchange::fields() const { return connection_.parser_.head().fields; }
int Exchange::version() const { return connection_.parser_.head().version; }

std::string Exchange::peer() const {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getpeername(connection_.socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return {};
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET)
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof text);
  else if (address.ss_family == AF_INET6)
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, text, sizeof text);
  return text;
}

std::optional<std::uint64_t> Exchange::content_length() const {
  const auto& head = connection_.parser_.head();
  if (head.chunked) return std::nullopt;
  return head.content_length.value_or(0);
}

bool Exchange::has_body() const { return content_length() != std::optional<std::uint64_t>(0); }
bool Exchange::wants_upgrade() const { return fields().has_token("Upgrade", "tcp"); }

Result<std::size_t> Exchange::read(char* buffer, std::size_t size) {
  return connection_.read_body(buffer, size);
}

Result<std::size_t> Exchange::move(const sys::Fd& pipe) { return connection_.move_body(pipe.get()); }

Result<std::string> Exchange::read_body(std::size_t limit) {
  const auto too_large = [] { return Error(Kind::Exhausted, "http: request body too large"); };
  if (const auto length = content_length(); length && *length > limit) return too_large();
  std::string body;
  std::array<char, 16384> piece;
  while (const std::size_t count = TRY(read(piece.data(), piece.size()))) {
    body.append(piece.data(), count);
    if (body.size() > limit) return too_large();
  }
  return body;
}

void Exchange::stop_reading() { connection_.stop_reading(); }

std::stop_token Exchange::stop_token() {
  bool first = false;
  std::stop_token token;
  {
    const MutexLock lock(connection_.stop_mutex_);
    if (!connection_.stop_) {
      connection_.stop_.emplace();
      first = true;
    }
    token = connection_.stop_->get_token();
  }
  if (first && connection_.watch) connection_.watch();
  return token;
}

Fields& Exchange::answer_fields() { return connection_.answer_fields_; }
bool Exchange::answered() const { return connection_.answer_ != Connection::Answer::None; }

Result<void> Exchange::send(int status, std::string_view body, std::string_view content_type) {
  auto& c = connection_;
  const bool no_body = status == 204 || status == 304;
  // A client that is still sending must not have its leftovers taken for a new request.
  if (status == 413 || status == 431) c.close_after_ = true;
  // Clients that hear of an error in the middle of a short body complain about the body.
  if (status >= 400 && !c.close_after_) c.swallow_body(kErrorPatience);
  std::string head = c.answer_head(status, no_body || body.empty() ? "" : content_type);
  if (!no_body) head += fmt::format("Content-Length: {}\r\n", body.size());
  head += "\r\n";
  c.answer_ = Connection::Answer::Done;
  return c.send_all(head, no_body || c.head_only_ ? std::string_view() : body);
}

Result<void> Exchange::send_head(int status, std::uint64_t length, std::string_view content_type) {
  auto& c = connection_;
  std::string head = c.answer_head(status, content_type);
  head += fmt::format("Content-Length: {}\r\n\r\n", length);
  c.answer_ = Connection::Answer::Done;
  return c.send_all(head);
}

Result<void> Exchange::send_file(int status, FileBody body, std::string_view content_type) {
  auto& c = connection_;
  if (c.head_only_) {
    auto sent = send_head(status, body.length, content_type);
    if (body.done) body.done(0, sent.ok());
    return sent;
  }
  std::string head = c.answer_head(status, content_type);
  head += fmt::format("Content-Length: {}\r\n\r\n", body.length);
  c.answer_ = Connection::Answer::Done;
  c.file_.emplace();
  c.file_->head = std::move(head);
  c.file_->body = std::move(body);
  return {};
}

Result<void> Exchange::start(int status, std::string_view content_type) {
  auto& c = connection_;
  c.chunked_ = version() == 11;
  if (!c.chunked_) c.close_after_ = true;
  std::string head = c.answer_head(status, content_type);
  if (c.chunked_) head += "Transfer-Encoding: chunked\r\n";
  head += "\r\n";
  c.answer_ = Connection::Answer::Streaming;
  return c.send_all(head);
}

Result<void> Exchange::start(int status, std::uint64_t length, std::string_view content_type) {
  auto& c = connection_;
  c.chunked_ = false;
  c.length_left_ = length;
  std::string head = c.answer_head(status, content_type);
  head += fmt::format("Content-Length: {}\r\n\r\n", length);
  c.answer_ = Connection::Answer::Streaming;
  return c.send_all(head);
}

Result<void> Exchange::write(std::string_view bytes) {
  auto& c = connection_;
  if (bytes.empty() || c.head_only_) return {};
  c.length_left_ -= std::min<std::uint64_t>(c.length_left_, bytes.size());
  if (!c.chunked_) return c.send_all(bytes);
  return c.send_all(fmt::format("{:x}\r\n", bytes.size()), bytes, "\r\n");
}

Result<void> Exchange::finish() {
  auto& c = connection_;
  if (c.answer_ != Connection::Answer::Streaming) return {};
  c.answer_ = Connection::Answer::Done;
  if (c.length_left_ > 0 && !c.head_only_) c.broken_ = true;
  if (!c.chunked_ || c.head_only_) return {};
  return c.send_all("0\r\n\r\n");
}

void Exchange::abort() {
  connection_.broken_ = true;
  connection_.answer_ = Connection::Answer::Done;
}

Result<Hijacked> Exchange::hijack(std::string_view content_type) {
  auto& c = connection_;
  if (!c.channel().is_plain())
    return Error(Kind::Unsupported, "http: a TLS connection cannot become a raw one");
  const bool upgrade = wants_upgrade();
  std::string head =
      fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\n", upgrade ? "101 UPGRADED" : "200 OK", content_type);
  if (upgrade) head += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  head += c.answer_fields_.to_text() + "\r\n";
  c.answer_ = Connection::Answer::Done;
  TRY(c.send_all(head));
  Hijacked out;
  out.early_input = std::move(c.body_) + std::move(c.buffer_);
  c.buffer_.clear();
  c.body_.clear();
  if (c.forget) c.forget();
  const int flags = ::fcntl(c.socket_.get(), F_GETFL);
  ::fcntl(c.socket_.get(), F_SETFL, flags & ~O_NONBLOCK);
  out.socket = std::move(c.socket_);
  return out;
}

}  // namespace skiff::http
