#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "sys/dbus.h"

namespace skiff::sys {

/// systemd's manager as it is reached by D-Bus (org.freedesktop.systemd1(5)). Every call ends in time:
/// start() within kStart, the others within kQuick.
class Systemd {
 public:
  static constexpr std::chrono::seconds kStart{30};
  static constexpr std::chrono::seconds kQuick{10};

  /// Whether this machine runs systemd (sd_booted(3)).
  static bool booted();
  /// Connects to the system's manager, or as an ordinary user to one's own.
  static Result<Systemd> connect();

  /// Makes and starts a unit that has no file, and waits until it is there. What is left of a failed one of
  /// that name goes first.
  Result<void> start(const std::string& unit, const dbus::Properties& properties);
  /// Stops a unit and waits for its end; one that is not there has been stopped already.
  Result<void> stop(const std::string& unit);
  /// Changes properties of a running unit until it ends.
  Result<void> set(const std::string& unit, const dbus::Properties& properties);
  /// "252"; 0 when it is not told.
  int version();
  /// The manager's own cgroup: "/", or of a user's "/user.slice/user-1000.slice/user@1000.service".
  Result<std::string> control_group();

 private:
  using Clock = dbus::Connection::Clock;
  Systemd(dbus::Connection connection, bool bus) : connection_(std::move(connection)), bus_(bus) {}

  Result<dbus::Message> call(const char* method, std::string signature, std::string body,
                             Clock::time_point deadline);
  Result<std::string> property(const char* name);
  Result<std::string> wait_for_job(const dbus::Message& started, Clock::time_point deadline);
  Result<void> subscribe(Clock::time_point deadline);
  void forget_failed(const std::string& unit, Clock::time_point deadline);

  dbus::Connection connection_;
  bool bus_ = true;  ///< and not the manager itself at the other end
};

}  // namespace skiff::sys
