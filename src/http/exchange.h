#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/fields.h"
#include "sys/fd.h"

namespace skiff::http {

class Connection;

/// A connection that stopped being HTTP. The socket is blocking.
struct Hijacked {
  sys::Fd socket;
  std::string early_input;  ///< what the client sent behind its request
};

/// A part of a file as an answer's body.
struct FileBody {
  sys::Fd file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  /// Called once, on any thread, when the body is sent or cannot be: how much of it went out.
  std::function<void(std::uint64_t sent, bool whole)> done;
};

/// One request and its answer, on the thread that serves it. Everything here blocks. Writing to a client that
/// went away is Cancelled. A handler answers exactly once: send(), or send_file(), or start() and write(), or
/// hijack().
class Exchange {
 public:
  explicit Exchange(Connection& connection) : connection_(connection) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // The request.
  std::string_view method() const;
  const std::string& target() const;  ///< as it came: "/v1.51/containers/json?all=1"
  std::string_view path() const;      ///< without the query, not decoded
  std::string_view query() const;
  const Fields& fields() const;
  int version() const;  ///< 10 or 11
  /// The client's address without port, "192.0.2.1" or "2001:db8::1"; "" over unix sockets.
  std::string peer() const;
  /// The body's size; absent when it is chunked, 0 when there is none.
  std::optional<std::uint64_t> content_length() const;
  bool has_body() const;
  bool wants_upgrade() const;

  /// Up to `size` bytes of the body; 0 at its end. Sends "100 Continue" first when the client waits for it.
  Result<std::size_t> read(char* buffer, std::size_t size);
  /// Moves some bytes of a long body, or of a long chunk, into a pipe, without passing through this program's
  /// memory; 0 where that cannot be (any more): read() has the rest. Fails with the code EPIPE, and has taken
  /// nothing, where nobody reads the pipe. Needs SIGPIPE to be ignored.
  Result<std::size_t> move(const sys::Fd& pipe);
  /// The whole body; Exhausted when it is larger than `limit`.
  Result<std::string> read_body(std::size_t limit);
  /// The rest of the body is of no interest: ends a read() that waits on another thread, and the connection
  /// after the answer.
  void stop_reading();
  /// Becomes true when the client goes away. Costs one system call when it is first asked for.
  std::stop_token stop_token();

  // The answer.
  /// Header lines for whatever answer comes; before it starts.
  Fields& answer_fields();
  /// A whole answer. HEAD requests get the same head and no body.
  Result<void> send(int status, std::string_view body, std::string_view content_type = "application/json");
  /// An answer whose body is a part of a file. It is sent without passing through this program's memory and
  /// without a thread: what the client is slow to take goes out after the handler has returned. Files do not
  /// shrink meanwhile. HEAD requests get the same head and no body. Needs SIGPIPE to be ignored.
  Result<void> send_file(int status, FileBody body, std::string_view content_type);
  /// An answer to HEAD whose body would have `length` bytes.
  Result<void> send_head(int status, std::uint64_t length, std::string_view content_type);
  /// Begins an answer of unknown length: chunked, or until the connection's end for HTTP/1.0.
  Result<void> start(int status, std::string_view content_type = "application/json");
  /// Begins an answer of `length` bytes; fewer, and the connection ends, so that the client notices.
  Result<void> start(int status, std::uint64_t length, std::string_view content_type);
  /// A piece of it, sent at once. May be called from any one thread at a time.
  Result<void> write(std::string_view bytes);
  /// Ends it. Done by the server when the handler returns without it.
  Result<void> finish();
  /// Breaks the connection so that the client notices that the answer is not whole.
  void abort();
  /// Gives the connection away: "101 UPGRADED" when the client asked to upgrade to tcp, "200 OK" otherwise.
  Result<Hijacked> hijack(std::string_view content_type);
  bool answered() const;

 private:
  Connection& connection_;
};

using Handler = std::function<void(Exchange&)>;

}  // namespace skiff::http
