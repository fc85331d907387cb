#include "client/connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/strings.h"

namespace skiff::client {

namespace {

constexpr std::size_t kReadSize = 64 << 10;
constexpr std::size_t kMaxLine = 1 << 20;

}  // namespace

std::string_view ResponseHead::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return {};
}

Result<std::unique_ptr<Connection>> Connection::open(const Endpoint& endpoint) {
  return std::unique_ptr<Connection>(new Connection(TRY(endpoint.connect()), endpoint));
}

Error Connection::gone() const {
  return fail(Kind::Unavailable, "error during connect: the engine at {} closed the connection", endpoint_.url);
}

Result<void> Connection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return gone();
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<void> Connection::send_request(const Request& request) {
  std::string head = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: skiff\r\n", request.method, request.target,
                                 endpoint_.is_unix ? "api.moby.localhost" : endpoint_.host + ":" + endpoint_.port);
  for (const auto& [name, value] : request.headers) head += fmt::format("{}: {}\r\n", name, value);
  if (!request.content_type.empty()) head += fmt::format("Content-Type: {}\r\n", request.content_type);
  if (request.upgrade) head += "Connection: Upgrade\r\nUpgrade: tcp\r\n";
  if (request.produce) head += "Transfer-Encoding: chunked\r\n";
  else if (!request.body.empty() || request.method != "GET") head += fmt::format("Content-Length: {}\r\n", request.body.size());
  head += "\r\n" + request.body;
  TRY(send(head));
  if (!request.produce) return {};
  TRY(request.produce([&](std::string_view bytes) -> Result<void> {
    if (bytes.empty()) return {};
    TRY(send(fmt::format("{:x}\r\n", bytes.size())));
    TRY(send(bytes));
    return send("\r\n");
  }));
  return send("0\r\n\r\n");
}

Result<ResponseHead> Connection::exchange(const Request& request) {
  answered_ = false;
  if (auto sent = send_request(request); !sent.ok()) {
    // An engine that refuses a body answers and closes before it has read all of it.
    auto head = request.produce && sent.error().kind() == Kind::Unavailable ? read_head() : sent.error();
    if (!head.ok()) return std::move(sent).error();
    TRY(start_body(*head, request));
    keep_alive_ = false;
    return head;
  }
  ResponseHead head = TRY(read_head());
  while (head.status >= 100 && head.status < 200 && head.status != 101) head = TRY(read_head());
  TRY(start_body(head, request));
  return head;
}

Result<std::size_t> Connection::fill() {
  if (used_ == buffer_.size()) {
    buffer_.clear();
    used_ = 0;
  }
  const std::size_t size = buffer_.size();
  buffer_.resize(size + kReadSize);
  ssize_t got = 0;
  do got = ::recv(socket_.get(), buffer_.data() + size, kReadSize, 0);
  while (got < 0 && errno == EINTR);
  buffer_.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (got < 0) return gone();
  if (got > 0) answered_ = true;
  return static_cast<std::size_t>(got);
}

Result<std::string> Connection::read_line() {
  while (true) {
    const auto end = buffer_.find('\n', used_);
    if (end != std::string::npos) {
      std::string line = buffer_.substr(used_, end - used_);
      used_ = end + 1;
      if (!line.empty() && line.back() == '\r') line.pop_back();
      return line;
    }
    if (buffer_.size() - used_ > kMaxLine) return Error(Kind::Unavailable, "malformed HTTP response: line too long");
    if (TRY(fill()) == 0) return gone();
  }
}

Result<ResponseHead> Connection::read_head() {
  ResponseHead head;
  const std::string line = TRY(read_line());
  if (!line.starts_with("HTTP/1.") || line.size() < 12)
    return fail(Kind::Unavailable, "malformed HTTP response {}", quote(line));
  head.status = static_cast<int>(parse_int(std::string_view(line).substr(9, 3)).value_or(0));
  head.reason = line.size() > 13 ? line.substr(13) : "";
  keep_alive_ = line[7] == '1';
  while (true) {
    const std::string field = TRY(read_line());
    if (field.empty()) return head;
    const auto [name, value] = cut(field, ':');
    head.headers.emplace_back(to_lower(name), trim(value.value_or("")));
    if (head.headers.back().first == "connection" && equals_ignore_case(head.headers.back().second, "close"))
      keep_alive_ = false;
  }
}

Result<void> Connection::start_body(const ResponseHead& head, const Request& request) {
  body_ = Body::Done;
  left_ = 0;
  if (head.status == 101 || head.status == 204 || head.status == 304 || request.method == "HEAD") return {};
  if (to_lower(head.header("transfer-encoding")).ends_with("chunked")) {
    body_ = Body::Chunked;
    return {};
  }
  const std::string_view length = head.header("content-length");
  if (length.empty()) {
    body_ = Body::UntilClose;
    keep_alive_ = false;
    return {};
  }
  const auto size = parse_uint(length);
  if (!size) return fail(Kind::Unavailable, "malformed HTTP response: Content-Length {}", quote(length));
  left_ = *size;
  body_ = left_ > 0 ? Body::Length : Body::Done;
  return {};
}

Result<std::size_t> Connection::read_raw(char* buffer, std::size_t size) {
  if (used_ < buffer_.size()) {
    const std::size_t count = std::min(size, buffer_.size() - used_);
    std::memcpy(buffer, buffer_.data() + used_, count);
    used_ += count;
    return count;
  }
  ssize_t got = 0;
  do got = ::recv(socket_.get(), buffer, size, 0);
  while (got < 0 && errno == EINTR);
  if (got < 0) return gone();
  return static_cast<std::size_t>(got);
}

/// Reads a chunk's size line; the last chunk ends the body.
Result<void> Connection::next_chunk() {
  const std::string line = TRY(read_line());
  const auto digits = std::string_view(line).substr(0, line.find(';'));
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), left_, 16);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size())
    return fail(Kind::Unavailable, "malformed HTTP response: chunk size {}", quote(line));
  if (left_ > 0) return {};
  while (!TRY(read_line()).empty()) {
  }
  body_ = Body::Done;
  return {};
}

Result<std::size_t> Connection::read(char* buffer, std::size_t size) {
  if (body_ == Body::Done || size == 0) return std::size_t{0};
  if (body_ == Body::UntilClose) {
    const std::size_t got = TRY(read_raw(buffer, size));
    if (got == 0) body_ = Body::Done;
    return got;
  }
  if (body_ == Body::Chunked && left_ == 0) {
    TRY(next_chunk());
    if (body_ == Body::Done) return std::size_t{0};
  }
  const std::size_t got = TRY(read_raw(buffer, std::min<std::uint64_t>(size, left_)));
  if (got == 0) return Error(Kind::Unavailable, "unexpected EOF");
  left_ -= got;
  if (left_ == 0 && body_ == Body::Length) body_ = Body::Done;
  if (left_ == 0 && body_ == Body::Chunked) TRY(read_line());
  return got;
}

Result<std::string> Connection::read_all() {
  std::string out;
  char piece[16 << 10];
  while (true) {
    const std::size_t got = TRY(read(piece, sizeof piece));
    if (got == 0) return out;
    out.append(piece, got);
  }
}

std::pair<sys::Fd, std::string> Connection::release() {
  return {std::move(socket_), buffer_.substr(used_)};
}

}  // namespace skiff::client
