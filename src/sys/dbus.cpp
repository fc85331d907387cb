#include "sys/dbus.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/strings.h"
#include "sys/socket.h"

namespace skiff::sys::dbus {
namespace {

constexpr std::chrono::seconds kGreeting{10};

/// "unix:path=/run/x,guid=..." to a socket. Other transports are passed over.
Result<Fd> connect_to(std::string_view address) {
  Error error(Kind::InvalidArgument, fmt::format("no unix socket in the D-Bus address {}", quote(address)));
  for (const auto& one : split(address, ';')) {
    if (!one.starts_with("unix:")) continue;
    for (const auto& part : split(std::string_view(one).substr(5), ',')) {
      const auto [name, value] = cut(part, '=');
      if (!value || (name != "path" && name != "abstract")) continue;
      auto socket = connect_stream((name == "abstract" ? "@" : "") + std::string(*value));
      if (socket) return socket;
      error = std::move(socket).error();
    }
  }
  return error;
}

Result<void> send_all(const Fd& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send_with_fds(socket.get(), bytes, {});
    if (sent < 0) return fail_errno("send to D-Bus");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

}  // namespace

Result<Connection> Connection::open(std::string_view address, bool bus) {
  Connection connection(TRY(connect_to(address)));
  const auto deadline = Clock::now() + kGreeting;
  TRY(connection.authenticate(deadline));
  if (bus) {
    TRY(connection.call({.path = "/org/freedesktop/DBus",
                         .interface = "org.freedesktop.DBus",
                         .member = "Hello",
                         .destination = "org.freedesktop.DBus"},
                        deadline));
  }
  return connection;
}

/// The kernel tells the other side who we are; the user id in hexadecimal digits of its decimal ones is what
/// we claim ("EXTERNAL"). The end of the greeting goes with it, as from systemd's own library: a message that
/// arrived together with the end would lie with systemd until the next one.
Result<void> Connection::authenticate(Clock::time_point deadline) {
  using namespace std::string_literals;
  TRY(send_all(socket_, "\0AUTH EXTERNAL "s + to_hex(std::to_string(::geteuid())) + "\r\nBEGIN\r\n"));
  while (received_.find("\r\n") == std::string::npos) TRY(fill(deadline));
  const auto end = received_.find("\r\n");
  if (!received_.starts_with("OK "))
    return fail(Kind::Forbidden, "D-Bus does not accept us: {}", std::string_view(received_).substr(0, end));
  received_.erase(0, end + 2);
  return {};
}

Result<void> Connection::fill(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
  pollfd entry = {socket_.get(), POLLIN, 0};
  const int ready = left.count() > 0 ? ::poll(&entry, 1, static_cast<int>(left.count())) : 0;
  if (ready < 0 && errno == EINTR) return {};
  if (ready < 0) return fail_errno("poll");
  if (ready == 0) return Error(Kind::Unavailable, "D-Bus does not answer");
  char buffer[4096];
  const ssize_t size = ::recv(socket_.get(), buffer, sizeof buffer, 0);
  if (size < 0 && errno == EINTR) return {};
  if (size < 0) return fail_errno("receive from D-Bus");
  if (size == 0) return Error(Kind::Unavailable, "D-Bus has hung up");
  received_.append(buffer, static_cast<std::size_t>(size));
  return {};
}

Result<Message> Connection::receive(Clock::time_point deadline) {
  while (true) {
    std::size_t size = 0;
    if (auto message = TRY(decode(received_, size))) {
      received_.erase(0, size);
      return *std::move(message);
    }
    TRY(fill(deadline));
  }
}

Result<Message> Connection::call(Message message, Clock::time_point deadline) {
  const auto serial = message.serial = ++serial_;
  TRY(send_all(socket_, encode(message)));
  while (true) {
    auto answer = TRY(receive(deadline));
    if (answer.type == Message::Type::Signal)
      signals_.push_back(std::move(answer));
    else if (answer.reply_to != serial)
      continue;
    else if (answer.type == Message::Type::Error)
      return to_error(answer);
    else if (answer.type == Message::Type::Return)
      return answer;
  }
}

Result<Message> Connection::next_signal(std::string_view member, Clock::time_point deadline) {
  while (true) {
    if (signals_.empty()) {
      auto message = TRY(receive(deadline));
      if (message.type == Message::Type::Signal) signals_.push_back(std::move(message));
      continue;
    }
    auto signal = std::move(signals_.front());
    signals_.pop_front();
    if (signal.member == member) return signal;
  }
}

}  // namespace skiff::sys::dbus
