#include "sys/systemd.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"

namespace skiff::sys {
namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kPrivateSocket = "unix:path=/run/systemd/private";

std::string variable(const char* name) {
  const char* value = ::getenv(name);
  return value ? value : "";
}

/// As others find it: sd-bus(3), "Environment".
std::string bus_address() {
  if (::geteuid() == 0) {
    const auto address = variable("DBUS_SYSTEM_BUS_ADDRESS");
    return address.empty() ? "unix:path=/run/dbus/system_bus_socket" : address;
  }
  const auto address = variable("DBUS_SESSION_BUS_ADDRESS");
  return address.empty() ? "unix:path=" + variable("XDG_RUNTIME_DIR") + "/bus" : address;
}

}  // namespace

bool Systemd::booted() {
  struct stat info = {};
  return ::lstat("/run/systemd/system", &info) == 0 && S_ISDIR(info.st_mode);
}

Result<Systemd> Systemd::connect() {
  auto connection = dbus::Connection::open(bus_address(), true);
  if (connection) return Systemd(*std::move(connection), true);
  // The manager listens by itself, too, for root: there need not be a bus.
  if (::geteuid() == 0)
    if (auto direct = dbus::Connection::open(kPrivateSocket, false))
      return Systemd(*std::move(direct), false);
  return connection.error().with_context("failed to connect to dbus");
}

Result<dbus::Message> Systemd::call(const char* method, std::string signature, std::string body,
                                    Clock::time_point deadline) {
  return connection_.call({.path = kPath,
                           .interface = kManager,
                           .member = method,
                           .destination = bus_ ? kService : "",
                           .signature = std::move(signature),
                           .body = std::move(body)},
                          deadline);
}

/// The manager tells of jobs only those who ask, and the bus passes on only what is asked for.
Result<void> Systemd::subscribe(Clock::time_point deadline) {
  if (bus_) {
    dbus::Writer rule;
    rule.text(fmt::format("type='signal',interface='{}',member='JobRemoved'", kManager));
    TRY(connection_.call({.path = "/org/freedesktop/DBus",
                          .interface = "org.freedesktop.DBus",
                          .member = "AddMatch",
                          .destination = "org.freedesktop.DBus",
                          .signature = "s",
                          .body = rule.bytes()},
                         deadline));
  }
  const auto subscribed = call("Subscribe", "", "", deadline);
  if (!subscribed && !dbus::is_error(subscribed.error(), "org.freedesktop.systemd1.AlreadySubscribed"))
    return subscribed.error();
  return {};
}

/// JobRemoved(u id, o job, s unit, s result): how the job ended that `started` names.
Result<std::string> Systemd::wait_for_job(const dbus::Message& started, Clock::time_point deadline) {
  const auto job = TRY(started.reader().text());
  while (true) {
    const auto removed = TRY(connection_.next_signal("JobRemoved", deadline));
    auto reader = removed.reader();
    TRY(reader.number());
    if (TRY(reader.text()) != job) continue;
    TRY(reader.text());
    return reader.text();
  }
}

void Systemd::forget_failed(const std::string& unit, Clock::time_point deadline) {
  dbus::Writer body;
  body.text(unit);
  (void)call("ResetFailedUnit", "s", body.bytes(), deadline);  // mostly it has not failed
}

Result<void> Systemd::start(const std::string& unit, const dbus::Properties& properties) {
  const auto deadline = Clock::now() + kStart;
  TRY(subscribe(deadline));
  dbus::Writer body;
  body.text(unit);
  body.text("replace");
  body.properties(properties);
  body.properties({});  // no further units; an empty array is the same of any type
  auto started = call("StartTransientUnit", "ssa(sv)a(sa(sv))", body.bytes(), deadline);
  if (!started && dbus::is_error(started.error(), "org.freedesktop.systemd1.UnitExists")) {
    forget_failed(unit, deadline);
    started = call("StartTransientUnit", "ssa(sv)a(sa(sv))", body.bytes(), deadline);
  }
  if (!started) return started.error().with_context(fmt::format("unable to start unit {}", quote(unit)));
  const auto result = TRY(wait_for_job(*started, deadline));
  if (result == "done") return {};
  forget_failed(unit, deadline);
  return fail(Kind::Internal, "error creating systemd unit `{}`: got `{}`", unit, result);
}

Result<void> Systemd::stop(const std::string& unit) {
  const auto deadline = Clock::now() + kQuick;
  TRY(subscribe(deadline));
  dbus::Writer body;
  body.text(unit);
  body.text("replace");
  const auto stopped = call("StopUnit", "ss", body.bytes(), deadline);
  if (!stopped && dbus::is_error(stopped.error(), "org.freedesktop.systemd1.NoSuchUnit")) return {};
  if (!stopped) return stopped.error().with_context(fmt::format("unable to stop unit {}", quote(unit)));
  TRY(wait_for_job(*stopped, deadline));
  forget_failed(unit, deadline);
  return {};
}

Result<void> Systemd::set(const std::string& unit, const dbus::Properties& properties) {
  dbus::Writer body;
  body.text(unit);
  body.number(1);  // runtime
  body.properties(properties);
  TRY_CONTEXT(call("SetUnitProperties", "sba(sv)", body.bytes(), Clock::now() + kQuick),
              "unable to set unit properties");
  return {};
}

Result<std::string> Systemd::property(const char* name) {
  dbus::Writer body;
  body.text(kManager);
  body.text(name);
  const auto answer = TRY(connection_.call({.path = kPath,
                                            .interface = "org.freedesktop.DBus.Properties",
                                            .member = "Get",
                                            .destination = bus_ ? kService : "",
                                            .signature = "ss",
                                            .body = body.bytes()},
                                           Clock::now() + kQuick));
  return answer.reader().plain_variant();
}

int Systemd::version() {
  // "252.39-1~deb12u1", of older ones "v241".
  auto text = property("Version").value_or("");
  if (text.starts_with('v')) text.erase(0, 1);
  text.resize(std::min(text.find_first_not_of("0123456789"), text.size()));
  return static_cast<int>(parse_uint(text).value_or(0));
}

Result<std::string> Systemd::control_group() { return property("ControlGroup"); }

}  // namespace skiff::sys
