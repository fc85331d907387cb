#include "http/connection.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/strings.h"

namespace skiff::http {
namespace {

constexpr std::size_t kReceiveSize = 32 << 10;
/// What a handler left unread is swallowed up to this, to keep the connection.
constexpr std::size_t kMostUnread = 256 << 10;
constexpr std::size_t kMostLingering = 256 << 20;
constexpr std::chrono::seconds kLinger{2};
constexpr std::uint64_t kMostMoved = 1 << 20;
/// Of a file that a fast client takes as it comes, before others have their turn.
constexpr std::uint64_t kTurn = 4 << 20;

Error gone() { return {Kind::Cancelled, "the client closed the connection"}; }

/// Waits until the socket is ready; false when the time is over.
bool wait_for(int socket, short events, int milliseconds) {
  pollfd poll{socket, events, 0};
  int ready = 0;
  do ready = ::poll(&poll, 1, milliseconds);
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

Connection::Connection(std::uint64_t number, sys::Fd socket, const ServerLimits& limits)
    : id(number),
      socket_(std::move(socket)),
      limits_(limits),
      parser_(MessageParser::Side::Request, limits.head_bytes) {}

Connection::~Connection() {
  end_file(false);
  if (socket_.valid()) channel().end(socket_.get());
}

bool Connection::claim() {
  Phase expected = Phase::Waiting;
  return phase_.compare_exchange_strong(expected, Phase::Busy);
}

void Connection::release() { phase_.store(Phase::Waiting); }

Connection::ReadResult Connection::read_head() {
  while (true) {
    while (!buffer_.empty() && !parser_.head_done()) {
      head_started_ = true;
      const auto eaten = parser_.feed(buffer_, body_);
      if (!eaten.ok())
        return eaten.error().kind() == Kind::Exhausted ? ReadResult::TooLarge : ReadResult::Malformed;
      buffer_.erase(0, *eaten);
      if (*eaten == 0) break;
    }
    if (parser_.head_done()) {
      const auto& head = parser_.head();
      close_after_ = !head.keep_alive;
      head_only_ = head.method == "HEAD";
      // A message with both lengths is how requests are smuggled; a 1.1 request must name its host (RFC
      // 9112, 3.2).
      const bool ambiguous = head.chunked && head.fields.has("Content-Length");
      const bool hostless = head.version == 11 && !head.fields.has("Host");
      return ambiguous || hostless ? ReadResult::Malformed : ReadResult::Request;
    }
    if (buffer_.size() > limits_.head_bytes) return ReadResult::TooLarge;
    std::array<char, kReceiveSize> bytes;
    const auto got = channel().receive(socket_.get(), bytes.data(), bytes.size());
    wanted_ = got.wait;
    if (got.count > 0)
      buffer_.append(bytes.data(), static_cast<std::size_t>(got.count));
    else if (got.wait != 0)
      return ReadResult::NeedMore;
    else
      return ReadResult::Closed;
  }
}

bool Connection::swallow_body(int patience) {
  std::size_t unread = body_.size();
  body_.clear();
  std::array<char, kReceiveSize> scratch;
  while (!parser_.done()) {
    if (unread > kMostUnread) return false;
    if (wants_continue()) return false;
    if (buffer_.empty() && !wait_for(socket_.get(), POLLIN, patience)) return false;
    const auto count = read_body(scratch.data(), scratch.size());
    if (!count.ok()) return false;
    unread += *count;
  }
  return true;
}

bool Connection::next_request() {
  if (!socket_.valid() || broken_ || close_after_) return false;
  if (!swallow_body(-1)) return false;
  parser_ = MessageParser(MessageParser::Side::Request, limits_.head_bytes);
  head_started_ = false;
  continue_sent_ = false;
  chunked_ = false;
  length_left_ = 0;
  answer_ = Answer::None;
  answer_fields_ = {};
  const MutexLock lock(stop_mutex_);
  stop_.reset();
  return true;
}

void Connection::client_gone() {
  const MutexLock lock(stop_mutex_);
  if (stop_) stop_->request_stop();
}

void Connection::refuse(std::string_view answer) {
  const iovec piece{const_cast<char*>(answer.data()), answer.size()};
  channel().send(socket_.get(), &piece, 1, false);
}

void Connection::linger() {
  if (!socket_.valid() || parser_.done() || read_ended_) return;
  channel().end(socket_.get());
  ::shutdown(socket_.get(), SHUT_WR);
  const auto deadline = std::chrono::steady_clock::now() + kLinger;
  std::array<char, kReceiveSize> scratch;
  for (std::size_t total = 0; total < kMostLingering;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !wait_for(socket_.get(), POLLIN, static_cast<int>(left.count()))) return;
    const auto got = channel().receive(socket_.get(), scratch.data(), scratch.size());
    if (got.count <= 0 && got.wait == 0) return;
    if (got.count > 0) total += static_cast<std::size_t>(got.count);
  }
}

Result<std::size_t> Connection::receive(std::string& out, std::size_t limit) {
  const std::size_t old = out.size();
  out.resize(old + std::min(limit, kReceiveSize));
  auto got = receive_into(out.data() + old, out.size() - old);
  out.resize(old + (got.ok() ? *got : 0));
  return got;
}

Result<std::size_t> Connection::receive_into(char* buffer, std::size_t size) {
  while (true) {
    const auto got = channel().receive(socket_.get(), buffer, size);
    if (got.count > 0) return static_cast<std::size_t>(got.count);
    if (got.wait == 0 || !wait_for_more(got.wait)) return reading_ended(got.count == 0);
  }
}

bool Connection::wait_for_more(short events) {
  const auto patience = std::chrono::milliseconds(limits_.body_timeout).count();
  return wait_for(socket_.get(), events, patience > 0 ? static_cast<int>(patience) : -1);
}

/// An end of the connection is an error: a body was to come.
Error Connection::reading_ended(bool orderly) {
  // The client may still want to read our answer: only this direction is over.
  read_ended_ = true;
  close_after_ = true;
  if (orderly)
    if (auto whole = parser_.end(); !whole.ok()) return std::move(whole).error();
  return gone();
}

bool Connection::wants_continue() const {
  return !continue_sent_ && equals_ignore_case(parser_.head().fields.get("Expect"), "100-continue");
}

void Connection::stop_reading() {
  read_ended_ = true;
  close_after_ = true;
  ::shutdown(socket_.get(), SHUT_RD);
}

Result<std::size_t> Connection::read_body(char* buffer, std::size_t size) {
  while (body_.empty()) {
    if (parser_.done()) return std::size_t{0};
    if (broken_ || read_ended_) return gone();
    if (buffer_.empty() && wants_continue()) {
      continue_sent_ = true;
      TRY(send_all("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    std::size_t eaten = 0;
    if (!buffer_.empty()) {
      auto fed = parser_.feed(buffer_, body_);
      if (!fed.ok()) {
        broken_ = true;
        return std::move(fed).error();
      }
      eaten = *fed;
      buffer_.erase(0, eaten);
    }
    if (eaten > 0 || parser_.done()) continue;
    // Long parts of a body go straight to its reader.
    if (const std::uint64_t left = parser_.plain_body_left(); left > 0 && buffer_.empty()) {
      const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, size));
      const std::size_t count = TRY(receive_into(buffer, most));
      parser_.skip_plain_body(count);
      return count;
    }
    TRY(receive(buffer_, kReceiveSize));
  }
  const std::size_t count = std::min(size, body_.size());
  std::memcpy(buffer, body_.data(), count);
  body_.erase(0, count);
  return count;
}

Result<std::size_t> Connection::move_body(int pipe) {
  const std::uint64_t left = parser_.plain_body_left();
  const bool read_already = !buffer_.empty() || !body_.empty();
  if (left == 0 || read_already || broken_ || read_ended_ || wants_continue() || !channel().is_plain())
    return std::size_t{0};
  while (true) {
    const auto most = static_cast<std::size_t>(std::min<std::uint64_t>(left, kMostMoved));
    const auto moved = channel().move(socket_.get(), pipe, most);
    if (moved.count > 0) {
      parser_.skip_plain_body(static_cast<std::uint64_t>(moved.count));
      return static_cast<std::size_t>(moved.count);
    }
    if (moved.count < 0 && moved.wait == 0 && errno == EPIPE) return fail_errno("move a body");
    if (moved.wait == 0 || !wait_for_more(moved.wait)) return reading_ended(moved.count == 0);
  }
}

Result<void> Connection::send_all(std::string_view first, std::string_view second, std::string_view third) {
  if (broken_ || !socket_.valid()) return gone();
  std::array<iovec, 3> pieces = {iovec{const_cast<char*>(first.data()), first.size()},
                                 iovec{const_cast<char*>(second.data()), second.size()},
                                 iovec{const_cast<char*>(third.data()), third.size()}};
  std::size_t next = 0;
  while (true) {
    while (next < pieces.size() && pieces[next].iov_len == 0) ++next;
    if (next == pieces.size()) return {};
    const auto sent = channel().send(socket_.get(), &pieces[next], pieces.size() - next, false);
    if (sent.count < 0) {
      if (sent.wait != 0) {
        wait_for(socket_.get(), sent.wait, -1);
        continue;
      }
      broken_ = true;
      return gone();
    }
    ssize_t count = sent.count;
    for (std::size_t i = next; count > 0; ++i) {
      const std::size_t taken = std::min(static_cast<std::size_t>(count), pieces[i].iov_len);
      pieces[i].iov_base = static_cast<char*>(pieces[i].iov_base) + taken;
      pieces[i].iov_len -= taken;
      count -= static_cast<ssize_t>(taken);
    }
  }
}

Channel::Outcome Connection::send_next(OutgoingFile& file) {
  const std::uint64_t left = file.body.length - file.sent;
  if (file.head_sent < file.head.size()) {
    const iovec piece{file.head.data() + file.head_sent, file.head.size() - file.head_sent};
    const auto sent = channel().send(socket_.get(), &piece, 1, left > 0);
    if (sent.count > 0) file.head_sent += static_cast<std::size_t>(sent.count);
    return sent;
  }
  const auto most = static_cast<std::size_t>(std::min(left, kTurn));
  const auto sent =
      channel().send_file(socket_.get(), file.body.file.get(), file.body.offset + file.sent, most);
  if (sent.count > 0) file.sent += static_cast<std::uint64_t>(sent.count);
  return sent;
}

Connection::SendResult Connection::send_some() {
  auto& file = *file_;
  const std::uint64_t turn_ends = file.sent + kTurn;
  while (file.head_sent < file.head.size() || file.sent < file.body.length) {
    const auto sent = send_next(file);
    if (sent.count <= 0) {
      wanted_ = sent.wait;
      if (sent.wait != 0) return SendResult::Wait;
      broken_ = true;
      end_file(false);
      return SendResult::Broken;
    }
    if (file.sent >= turn_ends && file.sent < file.body.length) {
      wanted_ = POLLOUT;
      return SendResult::Yield;
    }
  }
  end_file(true);
  return SendResult::Done;
}

void Connection::end_file(bool whole) {
  if (!file_) return;
  const auto file = std::move(*file_);
  file_.reset();
  if (file.body.done) file.body.done(file.sent, whole);
}

std::string Connection::answer_head(int status, std::string_view content_type) {
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  head += answer_fields_.to_text();
  if (!content_type.empty()) head += fmt::format("Content-Type: {}\r\n", content_type);
  if (close_after_ && status != 101) head += "Connection: close\r\n";
  return head;
}

}  // namespace skiff::http
