#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/address.h"
#include "http/exchange.h"
#include "http/fields.h"
#include "sys/fd.h"

namespace skiff::http {

/// Fills a buffer with the next bytes of a request's body; 0 at its end.
using BodySource = std::function<Result<std::size_t>(char* buffer, std::size_t size)>;

/// The rest of a regular file as a request's body, from where its descriptor stands.
struct FileRest {
  int fd = -1;
  std::uint64_t length = 0;
};

/// A long body: what a function fills in is sent chunked; a file has a length, and does not pass through this
/// program's memory.
struct LongBody {
  BodySource source;
  std::optional<FileRest> file;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target;  ///< "/v1.51/info", already encoded
  Fields fields;
  std::string body;
  std::string content_type;      ///< "application/json" when there is a body and nothing is said
  BodySource source;             ///< instead of `body`: sent chunked
  std::optional<FileRest> file;  ///< instead of both
  bool upgrade = false;          ///< asks for a raw connection (attach, exec)
  /// Takes what the answer's body holds while `source` or `file` is still being sent, unless the answer is a
  /// refusal. The rest is read as usual.
  std::function<Result<void>(std::string_view bytes)> early;
};

class Client;

/// An answer whose body is read as it comes. Lives no longer than its Client; the next request needs it read
/// to its end, else the connection is made anew.
class ClientResponse {
 public:
  int status = 0;
  std::string reason;
  Fields fields;

  /// Up to `size` bytes; 0 at the end. Unavailable when the connection breaks.
  Result<std::size_t> read(char* buffer, std::size_t size);
  Result<std::string> read_all(std::size_t limit = 64 << 20);
  /// Copies the rest to a descriptor.
  Result<void> copy_to(const sys::Fd& out);
  /// After an upgrade: the raw connection. The client makes a new one for its next request.
  Result<Hijacked> take_connection();
  /// The socket, for poll(2) together with other descriptors; bytes may already be buffered: read() first.
  int socket() const;

 private:
  friend class Client;
  Client* client_ = nullptr;
};

/// A blocking HTTP/1.1 client of one server, with one connection kept alive. No threads, no event loop: it is
/// linked into the command line, which must start in a millisecond or two. Not thread-safe.
class Client {
 public:
  explicit Client(Address address);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  /// Sends a request and reads the answer's head. Unavailable (NotFound, Forbidden) when the server cannot be
  /// reached, with the errno as code. An answer of any status is a success here.
  Result<ClientResponse> send(ClientRequest request);

  const Address& address() const;

 private:
  friend class ClientResponse;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace skiff::http
