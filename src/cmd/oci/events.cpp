#include <poll.h>

#include "base/clock.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/counters.h"
#include "cmd/oci/record.h"

namespace skiff::oci {
namespace {

Result<void> show(const std::string& id, json::Value data, const char* type) {
  json::Object event = {{"type", type}, {"id", id}};
  if (!data.is_null()) event["data"] = std::move(data);
  return print(json::to_text(event) + "\n");
}

/// Waits until the process has ended or `time` is over; false at its end.
bool lives_on(const sys::Process& process, std::chrono::milliseconds time) {
  pollfd entry = {process.pidfd().get(), POLLIN, 0};
  return ::poll(&entry, 1, static_cast<int>(time.count())) <= 0;
}

}  // namespace

Result<int> events(const Global& global, const Flags& flags) {
  const auto interval = parse_duration(flags.get("interval", "5s")).value_or(std::chrono::nanoseconds(0));
  if (interval.count() <= 0) return Error(Kind::InvalidArgument, "duration interval must be greater than 0");
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  if (status_of(home, record) == Status::Stopped)
    return fail(Kind::Conflict, "container with id {} is not running", home.id());
  const auto process = TRY(process_of(record));
  const auto cgroup = TRY(cgroup_of(record));
  if (flags.has("stats")) {
    TRY(show(home.id(), counters(cgroup), "stats"));
    return 0;
  }
  // Killed processes are looked for in shorter steps than the counters are shown.
  constexpr std::chrono::nanoseconds kStep = std::chrono::milliseconds(250);
  auto left = interval;
  auto killed = oom_kills(cgroup);
  for (;;) {
    const auto step = std::min(left, kStep);
    if (!lives_on(process, std::chrono::ceil<std::chrono::milliseconds>(step))) return 0;
    for (const auto now_killed = oom_kills(cgroup); killed < now_killed; ++killed)
      TRY(show(home.id(), nullptr, "oom"));
    left -= step;
    if (left.count() > 0) continue;
    TRY(show(home.id(), counters(cgroup), "stats"));
    left = interval;
  }
}

}  // namespace skiff::oci
