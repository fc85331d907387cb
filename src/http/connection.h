#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "base/result.h"
#include "base/thread.h"
#include "http/channel.h"
#include "http/exchange.h"
#include "http/parser.h"
#include "http/server.h"
#include "sys/fd.h"

/// The server's inside: not for other folders.
namespace skiff::http {

/// A file on its way out, behind the answer's head.
struct OutgoingFile {
  std::string head;
  std::size_t head_sent = 0;
  FileBody body;
  std::uint64_t sent = 0;
};

/// One client's connection. Between requests, and while a file waits for a slow client, it belongs to whoever
/// wins claim(); otherwise to the serving thread.
class Connection {
 public:
  enum class Phase : std::uint8_t { Waiting, Busy };

  Connection(std::uint64_t id, sys::Fd socket, const ServerLimits& limits);
  ~Connection();

  /// Replaces the plain channel; before the first byte.
  void set_channel(std::unique_ptr<Channel> channel) { own_channel_ = std::move(channel); }

  const std::uint64_t id;
  const sys::Fd& socket() const { return socket_; }

  /// From Waiting to Busy; false when another thread was first.
  bool claim();
  /// From Busy to Waiting: call before the socket is armed in the epoll again.
  void release();

  enum class ReadResult : std::uint8_t { Request, NeedMore, Closed, Malformed, TooLarge };
  /// Reads what is there without blocking, until a request's head is complete.
  ReadResult read_head();
  /// The poll(2) events that the last call which could not go on waits for.
  short wanted() const { return wanted_; }

  /// True from Exchange::send_file() until the file is sent.
  bool sending() const { return file_.has_value(); }
  enum class SendResult : std::uint8_t { Done, Wait, Yield, Broken };
  /// Sends of the file what the socket takes now. Yield: it takes more, but others are to have their turn.
  SendResult send_some();
  /// Ready for the next request on the same connection; false when it must be closed.
  bool next_request();
  /// True when bytes of another request are here already.
  bool has_pipelined() const { return !buffer_.empty(); }

  /// Tells the handler that the client went away.
  void client_gone();
  /// Set by the server: asks for client_gone() when the client goes away.
  std::function<void()> watch;
  /// Set by the server: takes the socket out of the epoll before it is given away.
  std::function<void()> forget;

  /// Sends a whole answer outside of a request, if the client takes it at once.
  void refuse(std::string_view answer);
  /// Lets the client read the last answer although it is still sending (RFC 9112, 9.6).
  void linger();
  void set_deadline(std::chrono::steady_clock::time_point deadline) { deadline_.store(deadline); }
  std::chrono::steady_clock::time_point deadline() const { return deadline_.load(); }
  bool head_started() const { return head_started_; }
  bool hijacked() const { return !socket_.valid(); }

 private:
  friend class Exchange;
  enum class Answer : std::uint8_t { None, Streaming, Done };

  Channel& channel() { return own_channel_ ? *own_channel_ : plain_channel(); }
  Channel::Outcome send_next(OutgoingFile& file);
  void end_file(bool whole);
  Result<std::size_t> receive(std::string& out, std::size_t limit);
  Result<std::size_t> receive_into(char* buffer, std::size_t size);
  bool wait_for_more(short events);
  Error reading_ended(bool orderly);
  bool wants_continue() const;
  void stop_reading();
  /// Reads the rest of a body that the handler does not want, if it is short and each part comes within
  /// `patience` milliseconds (-1: whenever); false when there is more.
  bool swallow_body(int patience);
  Result<std::size_t> read_body(char* buffer, std::size_t size);
  Result<std::size_t> move_body(int pipe);
  Result<void> send_all(std::string_view first, std::string_view second = {}, std::string_view third = {});
  std::string answer_head(int status, std::string_view content_type);

  sys::Fd socket_;
  std::unique_ptr<Channel> own_channel_;
  short wanted_ = 0;
  std::optional<OutgoingFile> file_;
  std::atomic<Phase> phase_ = Phase::Busy;
  std::atomic<std::chrono::steady_clock::time_point> deadline_{};
  const ServerLimits& limits_;
  std::string buffer_;  ///< received, not yet eaten by the parser
  std::string body_;    ///< eaten, not yet read by the handler
  MessageParser parser_;
  bool head_started_ = false;
  bool continue_sent_ = false;
  bool broken_ = false;
  std::atomic<bool> read_ended_ = false;
  std::atomic<bool> close_after_ = false;
  bool head_only_ = false;
  bool chunked_ = false;
  std::uint64_t length_left_ = 0;  ///< of an answer that is written piece by piece and has a length
  Answer answer_ = Answer::None;
  Fields answer_fields_;

  Mutex stop_mutex_;
  std::optional<std::stop_source> stop_ GUARDED_BY(stop_mutex_);
};

}  // namespace skiff::http
