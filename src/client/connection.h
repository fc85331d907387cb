#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "client/endpoint.h"
#include "sys/fd.h"

namespace skiff::client {

/// Where a request's body of unknown length goes; each piece becomes one chunk.
using Sink = std::function<Result<void>(std::string_view bytes)>;
using BodyProducer = std::function<Result<void>(const Sink& sink)>;

struct Request {
  std::string method;
  std::string target;        ///< path and query
  std::string content_type;  ///< none when empty
  std::string body;
  BodyProducer produce;      ///< instead of `body`: sent in chunks
  std::vector<std::pair<std::string, std::string>> headers;
  bool upgrade = false;      ///< asks for the raw connection (Connection: Upgrade, Upgrade: tcp)
};

struct ResponseHead {
  int status = 0;
  std::string reason;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case

  /// The value of a header given in lower case; empty when it is absent.
  std::string_view header(std::string_view name) const;
};

/// One HTTP/1.1 connection, blocking: requests one after the other, each answer's body read before the next
/// request. Small on purpose: the command line starts in a millisecond and links next to nothing.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const Endpoint& endpoint);

  /// Sends a request and reads the head of its answer (interim answers are passed over). Unavailable when the
  /// engine went away.
  Result<ResponseHead> exchange(const Request& request);

  /// Reads at most `size` bytes of the answer's body; 0 is its end.
  Result<std::size_t> read(char* buffer, std::size_t size);
  /// The whole body.
  Result<std::string> read_all();

  /// Whether another request may follow: the body is read and the server keeps the connection.
  bool reusable() const { return keep_alive_ && body_ == Body::Done; }
  /// Whether any byte of an answer came for the last request.
  bool answered() const { return answered_; }

  /// After an upgrade: the socket, and bytes that came along with the head.
  std::pair<sys::Fd, std::string> release();
  int fd() const { return socket_.get(); }

 private:
  enum class Body : std::uint8_t { Done, Length, Chunked, UntilClose };

  Connection(sys::Fd socket, Endpoint endpoint) : socket_(std::move(socket)), endpoint_(std::move(endpoint)) {}
  Result<void> send(std::string_view bytes);
  Result<void> send_request(const Request& request);
  Result<std::size_t> fill();
  Result<std::string> read_line();
  Result<ResponseHead> read_head();
  Result<void> start_body(const ResponseHead& head, const Request& request);
  Result<std::size_t> read_raw(char* buffer, std::size_t size);
  Result<void> next_chunk();
  Error gone() const;

  sys::Fd socket_;
  Endpoint endpoint_;
  std::string buffer_;
  std::size_t used_ = 0;  ///< bytes at the front of buffer_ that were handed out
  Body body_ = Body::Done;
  std::uint64_t left_ = 0;  ///< of the body or the current chunk
  bool keep_alive_ = true;
  bool answered_ = false;
};

}  // namespace skiff::client
