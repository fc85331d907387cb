#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/fields.h"

/// Reading HTTP/1 messages from bytes, without sockets. Beast's parser does the work behind this header.
namespace skiff::http {

struct MessageHead {
  std::string method;  ///< of requests
  std::string target;
  int status = 0;  ///< of responses
  std::string reason;
  int version = 11;  ///< 10 or 11
  Fields fields;
  bool keep_alive = true;
  bool chunked = false;
  std::optional<std::uint64_t> content_length;
  bool upgrade = false;  ///< Connection: Upgrade
};

/// Eats the bytes of one message: first the head, then the body, piece by piece.
class MessageParser {
 public:
  enum class Side : std::uint8_t { Request, Response };
  /// A head larger than `head_limit` is Exhausted.
  explicit MessageParser(Side side, std::size_t head_limit = 64 << 10);
  ~MessageParser();
  MessageParser(MessageParser&&) noexcept;
  MessageParser& operator=(MessageParser&&) noexcept;

  /// For responses to HEAD: there is no body whatever the head says.
  void expect_no_body();

  /// Eats a part of `bytes` and says how much; 0 means that more is needed first. Body bytes are appended to
  /// `body`, never more than were given. InvalidArgument: this is no HTTP.
  Result<std::size_t> feed(std::string_view bytes, std::string& body);
  /// So many bytes to come are the body's and nothing else: the rest of one with a length, or of a chunk. 0
  /// when there are only a few: these come with what follows them.
  std::uint64_t plain_body_left() const;
  /// Takes `count` of these for eaten: the caller read them itself.
  void skip_plain_body(std::uint64_t count);
  /// The connection ended. An error when the message was not complete.
  Result<void> end();

  bool head_done() const;
  bool done() const;
  const MessageHead& head() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skiff::http
