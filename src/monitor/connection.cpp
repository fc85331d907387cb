#include "monitor/connection.h"

#include <fcntl.h>

#include <cerrno>

#include "base/log.h"

namespace skiff::monitor {

Result<std::unique_ptr<Connection>> Connection::create(Loop& loop, sys::Fd socket, Handlers handlers) {
  std::unique_ptr<Connection> connection(new Connection(loop, std::move(socket), std::move(handlers)));
  const int flags = ::fcntl(connection->socket_.get(), F_GETFL);
  if (flags < 0 || ::fcntl(connection->socket_.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail_errno("connection");
  }
  connection->watch_ = TRY(loop.watch(
      connection->socket_, EPOLLIN, [raw = connection.get()](std::uint32_t events) { raw->ready(events); }));
  return connection;
}

void Connection::ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) write_queue();
  if (!watch_ || (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  auto message = receive(socket_);
  if (message) {
    handlers_.message(*std::move(message));
  } else if (message.error().code() != EAGAIN) {
    if (message.error().kind() != Kind::Unavailable) log::warning("daemon: {}", message.error().message());
    close();
  }
}

void Connection::send(Packed packed) {
  if (!watch_) return;
  queue_.push_back(std::move(packed));
  if (queue_.size() > kQueueLimit) {
    log::warning("daemon: {} messages lie unread, hanging up", queue_.size());
    return close();
  }
  if (queue_.size() == 1) write_queue();
}

void Connection::write_queue() {
  while (!queue_.empty()) {
    const auto sent = monitor::send(socket_, queue_.front());
    if (!sent && sent.error().code() == EAGAIN) break;
    if (!sent) return close();
    queue_.pop_front();
  }
  watch_->set(queue_.empty() ? std::uint32_t{EPOLLIN} : EPOLLIN | EPOLLOUT);
}

void Connection::close() {
  if (!watch_) return;
  watch_.reset();
  queue_.clear();
  // The owner drops this object in `closed`; so not from inside its own calls.
  loop_.defer([closed = handlers_.closed] { closed(); });
}

}  // namespace skiff::monitor
