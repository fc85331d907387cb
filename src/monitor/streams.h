#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "monitor/client.h"
#include "monitor/log_driver.h"
#include "monitor/loop.h"
#include "sys/fd.h"

namespace skiff::monitor {

/// The monitor's ends of a program's standard streams, or the master of its pty.
struct StreamEnds {
  sys::Fd in;
  sys::Fd out;
  sys::Fd err;
  sys::Fd console;
};

/// Moves what a program writes to its log and its attached clients, and what clients write to the program.
///
/// A client whose queue is full holds the program's output back, as in Docker; one that takes nothing for
/// kStallLimit meanwhile is dropped. After the program's end nothing is held back: the rest is read to its
/// end, for at most kDrainLimit if somebody else keeps the streams open. Clients stay until the owner calls
/// finish_clients(), also when the program closes its output early and runs on, as in Docker.
class Streams final : public Client::Owner {
 public:
  static constexpr std::chrono::seconds kStallLimit{60};
  static constexpr std::chrono::seconds kDrainLimit{2};
  static constexpr std::size_t kReadSize = 256 << 10;

  struct Options {
    LogDriver* log = nullptr;       ///< flushed by the owner at the end of each round, after `written`
    std::function<void()> written;  ///< something was appended to the log
    bool close_stdin = false;       ///< the end of a client's input is the end of the program's (stdin_once)
    std::function<void()> drained;  ///< all output was read; clients stay until finish_clients()
    std::function<void()> left;     ///< the last client went
  };

  Streams(Loop& loop, Options options) : loop_(loop), options_(std::move(options)) {}
  ~Streams();

  /// Begins to serve the ends. Clients may be attached before.
  Result<void> open(StreamEnds ends);
  Result<void> attach(AttachmentHeader header, sys::Fd socket);
  /// Conflict when there is no terminal.
  Result<void> resize(std::uint16_t columns, std::uint16_t rows);

  /// The program ended: calls `drained` (perhaps at once) when everything was read.
  void process_ended();
  /// No program will come (any more): clients are closed once they have everything.
  void finish_clients();
  /// The log has room again.
  void log_relieved() { client_relieved(); }
  bool has_clients() const { return !clients_.empty(); }
  void drop_clients();

  /// Frees the read buffer, which all Streams share.
  static void trim();

  void client_input(Client& client, std::string_view bytes) override;
  void client_end_of_input(Client& client) override;
  void client_relieved() override;
  void client_closed(Client& client) override;

 private:
  struct Source {
    Stream stream = Stream::Stdout;
    sys::Fd fd;
    std::unique_ptr<Loop::Watch> watch;
    std::chrono::steady_clock::time_point read;  ///< when it was read last
    std::unique_ptr<Loop::Timer> rest;           ///< while it is left alone for a moment
  };

  Result<void> open_source(Source& source, Stream stream, sys::Fd fd);
  Result<void> open_input(sys::Fd fd);
  void read_output(Source& source);
  void rest(Source& source);
  void deliver(Stream stream, std::string_view bytes);
  void end_source(Source& source);
  void hold(bool held);
  void check_stalled();
  void write_input();
  void close_input();
  void check_drained();
  bool outputs_open() const { return sources_[0].fd.valid() || sources_[1].fd.valid(); }

  Loop& loop_;
  Options options_;
  Source sources_[2];
  bool terminal_ = false;
  bool opened_ = false;
  bool ended_ = false;
  bool drained_ = false;
  bool finishing_ = false;  ///< finish_clients() was called
  bool held_ = false;       ///< output waits for a client
  sys::Fd input_;
  std::unique_ptr<Loop::Watch> input_watch_;
  std::string pending_input_;
  bool close_input_after_ = false;
  std::vector<std::unique_ptr<Client>> clients_;
  std::unique_ptr<Loop::Timer> stall_timer_;
  std::unique_ptr<Loop::Timer> drain_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< for deferred tasks
};

}  // namespace skiff::monitor
