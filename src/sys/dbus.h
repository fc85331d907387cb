#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "sys/fd.h"

/// As much of D-Bus (the specification of freedesktop.org, version 0.38) as it takes to call systemd's
/// manager and to wait for its signals. Why not a library: docs/decisions/0016-own-dbus.md.
namespace skiff::sys::dbus {

/// A value of any basic type, or an array of one, that somebody else has written.
struct Typed {
  std::string type;                   ///< "t", "as"
  std::vector<std::string> elements;  ///< as on the wire, without what aligns them; one when it is no array
  bool operator==(const Typed&) const = default;
};
/// What a variant may hold here, in this order of the types' names: b u t s ay au as a(ss), or one of its
/// own.
using Value = std::variant<bool, std::uint32_t, std::uint64_t, std::string, std::vector<std::uint8_t>,
                           std::vector<std::uint32_t>, std::vector<std::string>,
                           std::vector<std::pair<std::string, std::string>>, Typed>;
struct Property {
  std::string name;
  Value value;
};
using Properties = std::vector<Property>;

/// From GVariant's text form, as busctl(1) and runc's annotations have it: `true`, `5` (an int32), `1.5`,
/// `'text'`, `uint64 5`, `@t 5`, `['a', 'b']`, `@as []`. InvalidArgument: it is none. Unsupported: of a type
/// that is not basic, nor an array of such.
Result<Typed> parse_value(std::string_view text);

/// Builds what messages are made of. Every value is aligned to its size, counted from the message's
/// beginning.
class Writer {
 public:
  void byte(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void number(std::uint32_t value);
  void large(std::uint64_t value);
  void text(std::string_view value);  ///< also an object path
  void signature(std::string_view value);
  void variant(const Value& value);
  void properties(const Properties& values);  ///< a(sv)
  void align(std::size_t size) { bytes_.resize((bytes_.size() + size - 1) / size * size); }

  const std::string& bytes() const { return bytes_; }

 private:
  void typed(const Typed& value);
  template <typename Fill>
  void array(std::size_t alignment, const Fill& fill);
  std::string bytes_;
};

/// Reads them. What does not fit is InvalidArgument; no input is trusted.
class Reader {
 public:
  Reader(std::string_view bytes, bool big_endian) : bytes_(bytes), big_endian_(big_endian) {}

  Result<std::uint8_t> byte();
  Result<std::uint32_t> number();
  Result<std::string> text();
  Result<std::string> signature();
  /// A string, object path or number in a variant, as text.
  Result<std::string> plain_variant();
  Result<void> align(std::size_t size);
  Result<std::string_view> take(std::size_t size);
  bool at_end() const { return position_ >= bytes_.size(); }
  std::size_t position() const { return position_; }

 private:
  std::string_view bytes_;
  std::size_t position_ = 0;
  bool big_endian_ = false;
};

struct Message {
  enum class Type : std::uint8_t { Call = 1, Return = 2, Error = 3, Signal = 4 };
  Type type = Type::Call;
  std::uint32_t serial = 0;
  std::uint32_t reply_to = 0;
  std::string path;
  std::string interface;
  std::string member;
  std::string error;  ///< "org.freedesktop.systemd1.NoSuchUnit"
  std::string destination;
  std::string signature;
  std::string body;
  bool big_endian = false;  ///< the body's numbers

  Reader reader() const { return {body, big_endian}; }
};

/// The message's form on the wire.
std::string encode(const Message& message);
/// The message at the beginning of `bytes`, and its length in `size`; nothing when it is not whole.
Result<std::optional<Message>> decode(std::string_view bytes, std::size_t& size);

/// An error that the other side answered, as `name: text`; `is_error` tells by name.
Error to_error(const Message& answer);
bool is_error(const Error& error, std::string_view name);

/// A connection, to a message bus or to a service itself.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  /// `address` is "unix:path=/x" or "unix:abstract=x", or several with ";" between. With `bus` there is a
  /// message bus at the other end.
  static Result<Connection> open(std::string_view address, bool bus);

  /// Calls a method and returns its answer; signals that come meanwhile are kept for next_signal(). An error
  /// answer is an error here (see is_error). Unavailable: no answer until `deadline`, or the other side is
  /// gone.
  Result<Message> call(Message message, Clock::time_point deadline);
  /// The next signal named `member`; others are passed over.
  Result<Message> next_signal(std::string_view member, Clock::time_point deadline);

 private:
  explicit Connection(Fd socket) : socket_(std::move(socket)) {}
  Result<void> authenticate(Clock::time_point deadline);
  Result<void> fill(Clock::time_point deadline);
  Result<Message> receive(Clock::time_point deadline);

  Fd socket_;
  std::string received_;
  std::uint32_t serial_ = 0;
  std::deque<Message> signals_;
};

}  // namespace skiff::sys::dbus
