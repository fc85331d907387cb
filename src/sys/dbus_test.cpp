#include "sys/dbus.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/ids.h"
#include "base/strings.h"
#include "sys/socket.h"

namespace skiff::sys::dbus {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

auto soon() { return Connection::Clock::now() + 5s; }

TEST(DBus, AMessageHasTheBytesOfTheSpecification) {
  const auto bytes = encode({.serial = 1,
                             .path = "/org/freedesktop/DBus",
                             .interface = "org.freedesktop.DBus",
                             .member = "Hello",
                             .destination = "org.freedesktop.DBus"});
  // As dbus-send(1) writes it, but for the order of the fields.
  EXPECT_EQ(bytes,
            "l\1\0\1\0\0\0\0\1\0\0\0\x6d\0\0\0"
            "\1\1o\0\x15\0\0\0/org/freedesktop/DBus\0\0\0"
            "\2\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"
            "\3\1s\0\5\0\0\0Hello\0\0\0"
            "\6\1s\0\x14\0\0\0org.freedesktop.DBus\0\0\0\0"s);
}

TEST(DBus, ValuesAreAligned) {
  Writer out;
  out.byte(7);
  out.number(1);
  out.large(2);
  out.text("abc");
  out.variant(std::vector<std::uint8_t>{5, 6});
  EXPECT_EQ(out.bytes(), "\7\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0abc\0\2ay\0\2\0\0\0\5\6"s);
  Writer properties;
  properties.properties(
      {{"A", true}, {"B", std::uint64_t{9}}, {"C", std::vector<std::pair<std::string, std::string>>{}}});
  // An array's length does not count what aligns its first element, also when there is none.
  EXPECT_EQ(properties.bytes(),
            "\x40\0\0\0\0\0\0\0"
            "\1\0\0\0A\0\1b\0\0\0\0\1\0\0\0"
            "\1\0\0\0B\0\1t\0\0\0\0\0\0\0\0\x9\0\0\0\0\0\0\0"
            "\1\0\0\0C\0\5a(ss)\0\0\0\0\0\0\0\0\0\0\0\0"s);
}

TEST(DBus, ValuesAreReadFromText) {
  const auto wire = [](std::string_view text) {
    const auto value = parse_value(text);
    if (!value) return value.error().message();
    Writer out;
    out.variant(*value);
    return out.bytes();
  };
  EXPECT_EQ(wire("true"), "\1b\0\0\1\0\0\0"s);
  EXPECT_EQ(wire(" -2 "), "\1i\0\0\xfe\xff\xff\xff"s);
  EXPECT_EQ(wire("uint64 0x10"), "\1t\0\0\0\0\0\0\x10\0\0\0\0\0\0\0"s);
  EXPECT_EQ(wire("@t 1"), "\1t\0\0\0\0\0\0\1\0\0\0\0\0\0\0"s);
  EXPECT_EQ(wire("byte 7"), "\1y\0\7"s);
  EXPECT_EQ(wire("int16 -1"), "\1n\0\0\xff\xff"s.substr(0, 3) + "\0\xff\xff"s);
  EXPECT_EQ(wire("0.5"), "\1d\0\0\0\0\0\0\0\0\0\0\0\0\xe0\x3f"s);
  EXPECT_EQ(wire(R"('it\'s')"), "\1s\0\0\4\0\0\0it's\0"s);
  EXPECT_EQ(wire("objectpath \"/a\""), "\1o\0\0\2\0\0\0/a\0"s);
  EXPECT_EQ(wire("signature 'au'"), "\1g\0\2au\0"s);
  EXPECT_EQ(wire("['a', 'bc']"), "\2as\0\x0f\0\0\0\1\0\0\0a\0\0\0\2\0\0\0bc\0"s);
  EXPECT_EQ(wire("[uint64 1]"), "\2at\0\x08\0\0\0\1\0\0\0\0\0\0\0"s);
  EXPECT_EQ(wire("@ay [1, 2]"), "\2ay\0\2\0\0\0\1\2"s);
  EXPECT_EQ(wire("@as []"), "\2as\0\0\0\0\0"s);
}

TEST(DBus, TextThatIsNoValueIsNamed) {
  const auto said = [](std::string_view text) {
    const auto value = parse_value(text);
    return value ? std::string("taken") : value.error().message();
  };
  EXPECT_EQ(said(""), "the value is not whole");
  EXPECT_EQ(said("plain"), "\"plain\" is not a value");
  EXPECT_EQ(said("'open"), "a text does not end");
  EXPECT_EQ(said("[1, 'a']"), "\"a\" is not of type \"i\"");
  EXPECT_EQ(said("[1 2]"), "\"2]\" is not a value");
  EXPECT_EQ(said("[]"), "an empty array needs its type: @as []");
  EXPECT_EQ(said("byte 256"), "\"256\" is not of type \"y\"");
  EXPECT_EQ(said("5000000000"), "\"5000000000\" is not of type \"i\"");
  EXPECT_EQ(said("uint32 -1"), "\"-1\" is not of type \"u\"");
  EXPECT_EQ(said("@t int32 1"), "\"1\" is not of type \"t\"");
  EXPECT_EQ(said("@as 'a'"), "the value is not of type \"as\"");
  EXPECT_EQ(said("1 2"), "\"2\" is not a value");
  EXPECT_EQ(said("byte int16 1"), "\"int16\" is a second type");
  EXPECT_EQ(said("@a{sv} {}"), "the type \"a{sv}\" is neither a basic one nor an array of such");
  for (const char* part : {"@", "[", "[1", "[1,", "byte", "@t", "'", "-", "0x", "@as [", "\\"})
    EXPECT_NE(said(part), "taken") << part;
}

TEST(DBus, MessagesComeBackAndPrefixesAreIncomplete) {
  Writer body;
  body.text("one");
  const Message message{.type = Message::Type::Error,
                        .serial = 7,
                        .reply_to = 3,
                        .error = "org.example.Failed",
                        .destination = ":1.5",
                        .signature = "s",
                        .body = body.bytes()};
  const auto bytes = encode(message);
  std::size_t size = 0;
  const auto back = decode(bytes + "more", size);
  ASSERT_TRUE(back.ok() && back->has_value());
  EXPECT_EQ(size, bytes.size());
  EXPECT_EQ((*back)->type, Message::Type::Error);
  EXPECT_EQ((*back)->reply_to, 3U);
  EXPECT_EQ((*back)->error, "org.example.Failed");
  EXPECT_EQ(to_error(**back).message(), "org.example.Failed: one");
  EXPECT_TRUE(is_error(to_error(**back), "org.example.Failed"));
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto part = decode(bytes.substr(0, length), size);
    EXPECT_TRUE(part.ok() && !part->has_value()) << length;
  }
}

TEST(DBus, NumbersOfEitherEndAreRead) {
  Reader big("\0\0\0\3abc\0"s, true);
  EXPECT_EQ(*big.text(), "abc");
  Reader little("\3\0\0\0abc\0"s, false);
  EXPECT_EQ(*little.text(), "abc");
}

TEST(DBus, AnyDamageIsAnErrorOrAnotherMessage) {
  const auto bytes =
      encode({.serial = 1, .path = "/a", .member = "M", .signature = "s", .body = "\1\0\0\0x\0"s});
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string damaged = bytes;
    damaged[i / 8] = static_cast<char>(damaged[i / 8] ^ (1 << (i % 8)));
    std::size_t size = 0;
    const auto message = decode(damaged, size);
    if (!message || !*message) continue;
    EXPECT_LE(size, damaged.size());
    (void)(*message)->reader().text();
  }
  std::size_t size = 0;
  EXPECT_FALSE(decode(std::string(64, '\xff'), size).ok());
}

/// The other end of a connection, for as long as it takes `talk`.
class Server {
 public:
  explicit Server(std::function<void(Server&)> talk) : name_("@skiff-dbus-test-" + random_hex(6)) {
    listener_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::copy(name_.begin() + 1, name_.end(), address.sun_path + 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    thread_ = std::thread([this, talk = std::move(talk)] {
      peer_ = Fd(::accept(listener_.get(), nullptr, nullptr));
      talk(*this);
      peer_.reset();
    });
  }
  ~Server() { thread_.join(); }
  std::string address() const { return "tcp:host=x;unix:guid=1,abstract=" + name_.substr(1); }

  void send(std::string_view bytes) {
    EXPECT_EQ(send_with_fds(peer_.get(), bytes, {}), static_cast<ssize_t>(bytes.size()));
  }
  void send(const Message& message) { send(encode(message)); }
  bool receive() {
    char buffer[4096];
    const ssize_t size = ::recv(peer_.get(), buffer, sizeof buffer, 0);
    if (size > 0) received_.append(buffer, static_cast<std::size_t>(size));
    return size > 0;
  }
  /// The greeting, and the first call behind it.
  void greet() {
    while (received_.find("BEGIN\r\n") == std::string::npos) ASSERT_TRUE(receive());
    EXPECT_TRUE(received_.starts_with("\0AUTH EXTERNAL "s));
    received_.erase(0, received_.find("BEGIN\r\n") + 7);
    send("OK 0123\r\n");
  }
  Message next() {
    while (true) {
      std::size_t size = 0;
      auto message = decode(received_, size);
      EXPECT_TRUE(message.ok());
      if (message && *message) {
        received_.erase(0, size);
        return **message;
      }
      if (!receive()) return {};
    }
  }

 private:
  std::string name_;
  Fd listener_;
  Fd peer_;
  std::string received_;
  std::thread thread_;
};

TEST(DBus, SignalsBeforeAnAnswerAreKept) {
  Server server([](Server& peer) {
    peer.greet();
    const auto hello = peer.next();
    EXPECT_EQ(hello.member, "Hello");
    peer.send({.type = Message::Type::Return, .serial = 1, .reply_to = hello.serial});
    const auto call = peer.next();
    EXPECT_EQ(call.member, "Start");
    peer.send({.type = Message::Type::Signal, .serial = 2, .member = "Other"});
    peer.send({.type = Message::Type::Signal, .serial = 3, .member = "Done"});
    peer.send({.type = Message::Type::Return, .serial = 4, .reply_to = call.serial + 100});
    peer.send({.type = Message::Type::Return,
               .serial = 5,
               .reply_to = call.serial,
               .signature = "u",
               .body = "\5\0\0\0"s});
    const auto second = peer.next();
    peer.send(
        {.type = Message::Type::Error, .serial = 6, .reply_to = second.serial, .error = "org.example.No"});
  });
  auto connection = Connection::open(server.address(), true);
  ASSERT_TRUE(connection.ok()) << connection.error().message();
  const auto answer = connection->call({.member = "Start"}, soon());
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(*answer->reader().number(), 5U);
  EXPECT_EQ(connection->next_signal("Done", soon())->serial, 3U);
  const auto refused = connection->call({.member = "Start"}, soon());
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(is_error(refused.error(), "org.example.No"));
}

TEST(DBus, APeerThatIsSilentRefusesOrGoesIsAnError) {
  Server silent([](Server& peer) {
    peer.greet();
    while (peer.receive()) {
    }
  });
  {
    auto connection = Connection::open(silent.address(), false);
    ASSERT_TRUE(connection.ok());
    const auto answer = connection->call({.member = "M"}, Connection::Clock::now() + 20ms);
    EXPECT_EQ(answer.error().message(), "D-Bus does not answer");
  }
  Server refusing([](Server& peer) {
    peer.receive();
    peer.send("REJECTED EXTERNAL\r\n");
  });
  EXPECT_EQ(Connection::open(refusing.address(), false).error().message(),
            "D-Bus does not accept us: REJECTED EXTERNAL");
  Server leaving([](Server& peer) { peer.greet(); });
  auto connection = Connection::open(leaving.address(), false);
  ASSERT_TRUE(connection.ok());
  EXPECT_FALSE(connection->call({.member = "M"}, soon()).ok());
  EXPECT_THAT(Connection::open("unix:path=/no/such", false).error().message(),
              testing::HasSubstr("/no/such"));
  EXPECT_THAT(Connection::open("tcp:host=x", false).error().message(), testing::HasSubstr("no unix socket"));
}

}  // namespace
}  // namespace skiff::sys::dbus
