#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "monitor/detach_keys.h"
#include "monitor/log_format.h"
#include "monitor/loop.h"
#include "monitor/protocol.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// An attached client: writes output to its socket, in Docker's frames or raw, and reads input from it.
/// Nothing here blocks. Output that the client does not take at once is queued; docs/monitor.md has the
/// policy.
class Client {
 public:
  /// What a client tells the streams it is attached to. A callback may drop the client only through
  /// Loop::defer.
  struct Owner {
    virtual void client_input(Client& client, std::string_view bytes) = 0;
    virtual void client_end_of_input(Client& client) = 0;
    virtual void client_relieved() = 0;              ///< the queue of a client fell below kLowWater
    virtual void client_closed(Client& client) = 0;  ///< it went away, detached, or has got everything

   protected:
    ~Owner() = default;
  };

  static constexpr std::size_t kHighWater = 1 << 20;
  static constexpr std::size_t kLowWater = 256 << 10;

  static Result<std::unique_ptr<Client>> create(Loop& loop, Owner& owner, AttachmentHeader header,
                                                sys::Fd socket);
  ~Client();

  /// Passes the input that came with the attachment on. After construction, because the owner must know the
  /// client.
  void begin();

  /// Output of the program; dropped when the client did not ask for this stream.
  void output(Stream stream, std::string_view bytes);
  /// No more output comes: closes once the queue is written.
  void finish();
  /// Gives up on it.
  void close();
  bool closed() const { return closed_; }

  /// Whether the program's output should wait for this client.
  bool full() const { return !closed_ && queue_.size() - sent_ >= kHighWater; }
  /// Whether something waits for this client that made no progress for so long.
  bool stalled(std::chrono::steady_clock::duration limit) const;

  /// Stops and resumes reading input, while the program does not take it.
  void pause_input(bool paused);

 private:
  Client(Owner& owner, AttachmentHeader header, sys::Fd socket);

  void ready(std::uint32_t events);
  void read_input();
  void take_input(std::string_view bytes);
  void end_input();
  void write_queue();
  void send(std::string_view head, std::string_view bytes);
  void update_watch();
  void hang_up();

  Owner& owner_;
  AttachmentHeader header_;
  DetachKeys detach_keys_;
  sys::Fd socket_;
  std::unique_ptr<Loop::Watch> watch_;
  std::string queue_;
  std::size_t sent_ = 0;  ///< how much of queue_
  std::chrono::steady_clock::time_point progress_;
  bool input_open_ = true;  ///< the client has not ended its side
  bool input_paused_ = false;
  bool hung_up_ = false;  ///< nothing can be written any more; input may be left
  bool finishing_ = false;
  bool closed_ = false;
};

}  // namespace skiff::monitor
