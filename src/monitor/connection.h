#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "monitor/loop.h"
#include "monitor/protocol.h"

namespace skiff::monitor {

/// The monitor's side of a connection to a daemon. Nothing blocks: what the daemon does not take is queued,
/// and a daemon that leaves kQueueLimit messages lying is hung up on (it will come back and ask for the
/// state).
class Connection {
 public:
  static constexpr std::size_t kQueueLimit = 1024;

  struct Handlers {
    std::function<void(Message)> message;
    std::function<void()> closed;  ///< called once, from the loop; the Connection may then be dropped
  };

  static Result<std::unique_ptr<Connection>> create(Loop& loop, sys::Fd socket, Handlers handlers);

  void send(Packed packed);
  bool queue_empty() const { return queue_.empty(); }

 private:
  Connection(Loop& loop, sys::Fd socket, Handlers handlers)
      : loop_(loop), socket_(std::move(socket)), handlers_(std::move(handlers)) {}

  void ready(std::uint32_t events);
  void write_queue();
  void close();

  Loop& loop_;
  sys::Fd socket_;
  Handlers handlers_;
  std::unique_ptr<Loop::Watch> watch_;
  std::deque<Packed> queue_;
};

}  // namespace skiff::monitor
