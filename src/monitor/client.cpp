#include "monitor/client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

namespace skiff::monitor {
namespace {

constexpr std::size_t kInputChunk = 32 << 10;

/// The header of a frame (Docker Engine API, "Stream format"): stream, three zeros, length with the high byte
/// first.
struct FrameHead {
  FrameHead(Stream stream, std::size_t size)
      : bytes{static_cast<char>(stream),
              0,
              0,
              0,
              static_cast<char>(size >> 24),
              static_cast<char>(size >> 16),
              static_cast<char>(size >> 8),
              static_cast<char>(size)} {}
  std::string_view view() const { return {bytes, sizeof(bytes)}; }
  char bytes[8];
};

}  // namespace

Client::Client(Owner& owner, AttachmentHeader header, sys::Fd socket)
    : owner_(owner),
      header_(std::move(header)),
      detach_keys_(header_.detach_keys),
      socket_(std::move(socket)),
      progress_(std::chrono::steady_clock::now()) {}

Client::~Client() = default;

Result<std::unique_ptr<Client>> Client::create(Loop& loop, Owner& owner, AttachmentHeader header,
                                               sys::Fd socket) {
  std::unique_ptr<Client> client(new Client(owner, std::move(header), std::move(socket)));
  const int flags = ::fcntl(client->socket_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(client->socket_.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail_errno("attached client");
  }
  // A client may be the write end of a pipe or a file of the daemon's own; those give no input, and a file,
  // which epoll does not know, is always ready.
  if ((flags & O_ACCMODE) == O_WRONLY) client->input_open_ = false;
  auto watch = loop.watch(client->socket_, client->input_open_ ? std::uint32_t{EPOLLIN} : 0U,
                          [raw = client.get()](std::uint32_t events) { raw->ready(events); });
  if (watch)
    client->watch_ = *std::move(watch);
  else if (watch.error().code() != EPERM)
    return std::move(watch).error();
  return client;
}

void Client::begin() {
  if (header_.early_input.empty()) return;
  const std::string early = std::exchange(header_.early_input, {});
  take_input(early);
}

void Client::output(Stream stream, std::string_view bytes) {
  if (closed_ || hung_up_ || finishing_ || bytes.empty()) return;
  if (stream == Stream::Stdout ? !header_.standard_output : !header_.standard_error) return;
  if (header_.multiplexed) {
    const FrameHead head(stream, bytes.size());
    send(head.view(), bytes);
  } else {
    send({}, bytes);
  }
}

void Client::send(std::string_view head, std::string_view bytes) {
  if (queue_.empty()) {
    iovec parts[2] = {{const_cast<char*>(head.data()), head.size()},
                      {const_cast<char*>(bytes.data()), bytes.size()}};
    ssize_t count = 0;
    do count = ::writev(socket_.get(), parts, 2);
    while (count < 0 && errno == EINTR);
    if (count < 0 && errno != EAGAIN) return hang_up();
    progress_ = std::chrono::steady_clock::now();
    auto written = static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    const std::size_t of_head = std::min(written, head.size());
    head.remove_prefix(of_head);
    bytes.remove_prefix(written - of_head);
    if (head.empty() && bytes.empty()) return;
  }
  queue_.append(head).append(bytes);
  update_watch();
}

void Client::write_queue() {
  while (sent_ < queue_.size()) {
    const ssize_t count = ::write(socket_.get(), queue_.data() + sent_, queue_.size() - sent_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return hang_up();
    sent_ += static_cast<std::size_t>(count);
    progress_ = std::chrono::steady_clock::now();
  }
  const std::size_t left = queue_.size() - sent_;
  if (left == 0) {
    queue_ = std::string();
    sent_ = 0;
  } else if (sent_ > kLowWater) {
    queue_.erase(0, sent_);
    sent_ = 0;
  }
  update_watch();
  if (left < kLowWater) owner_.client_relieved();
  if (left == 0 && finishing_) close();
}

bool Client::stalled(std::chrono::steady_clock::duration limit) const {
  return !closed_ && !queue_.empty() && std::chrono::steady_clock::now() - progress_ >= limit;
}

void Client::ready(std::uint32_t events) {
  if (closed_) return;
  if ((events & EPOLLIN) != 0 && input_open_ && !input_paused_) read_input();
  if (closed_ || hung_up_) return;
  if ((events & (EPOLLHUP | EPOLLERR)) != 0) return hang_up();
  if ((events & EPOLLOUT) != 0) write_queue();
}

void Client::read_input() {
  char buffer[kInputChunk];
  const ssize_t count = ::read(socket_.get(), buffer, sizeof(buffer));
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) return end_input();
  take_input({buffer, static_cast<std::size_t>(count)});
}

void Client::take_input(std::string_view bytes) {
  if (!header_.standard_input) return;
  if (!detach_keys_.enabled()) return owner_.client_input(*this, bytes);
  const DetachKeys::Step step = detach_keys_.feed(bytes);
  if (!step.input.empty()) owner_.client_input(*this, step.input);
  if (step.detached) close();
}

void Client::end_input() {
  if (!input_open_) return;
  input_open_ = false;
  update_watch();
  if (!header_.standard_input) return;
  if (const std::string rest = detach_keys_.finish(); !rest.empty()) owner_.client_input(*this, rest);
  owner_.client_end_of_input(*this);
}

void Client::pause_input(bool paused) {
  if (closed_ || input_paused_ == paused) return;
  input_paused_ = paused;
  update_watch();
  if (!paused && hung_up_) hang_up();
}

void Client::update_watch() {
  if (!watch_) return;
  std::uint32_t events = 0;
  if (input_open_ && !input_paused_) events |= EPOLLIN;
  if (!queue_.empty()) events |= EPOLLOUT;
  watch_->set(events);
}

/// The other side is gone for good. What it wrote before (`echo x | docker attach`) still goes to the
/// program; when the program does not take it now, pause_input(false) comes back here.
void Client::hang_up() {
  hung_up_ = true;
  watch_.reset();
  queue_ = std::string();
  sent_ = 0;
  owner_.client_relieved();
  while (!closed_ && input_open_ && !input_paused_) {
    char buffer[kInputChunk];
    const ssize_t count = ::read(socket_.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0)
      end_input();
    else
      take_input({buffer, static_cast<std::size_t>(count)});
  }
  if (!closed_ && !input_open_) close();
}

void Client::finish() {
  if (closed_ || finishing_) return;
  finishing_ = true;
  if (queue_.empty()) close();
}

void Client::close() {
  if (closed_) return;
  closed_ = true;
  watch_.reset();
  // Input nobody wants any more is read away: closing a TCP socket with unread data resets the connection,
  // and the client would lose output that is still on its way.
  char rest[4096];
  for (int i = 0; i < 64 && input_open_ && ::recv(socket_.get(), rest, sizeof(rest), MSG_DONTWAIT) > 0; ++i) {
  }
  ::shutdown(socket_.get(), SHUT_RDWR);
  socket_.reset();
  queue_ = std::string();
  owner_.client_closed(*this);
}

}  // namespace skiff::monitor
