#include "monitor/container_cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/json.h"
#include "base/strings.h"
#include "runtime/stats.h"
#include "sys/file.h"

namespace skiff::monitor {

Result<std::string> cgroup_stats(const sys::Cgroup& cgroup) {
  return json::encode(TRY(runtime::read_stats(cgroup)));
}

/// "oom_kill N" stands in memory.events (version 2) or memory.oom_control (version 1).
std::uint64_t cgroup_oom_kills(const sys::Cgroup& cgroup) {
  const auto* hierarchy = cgroup.layout().find("memory");
  if (!hierarchy) return 0;
  const auto text = cgroup.read("memory", hierarchy->unified ? "memory.events" : "memory.oom_control");
  if (!text) return 0;
  for (const std::string& line : split(*text, '\n')) {
    if (line.starts_with("oom_kill ")) return parse_uint(trim(std::string_view(line).substr(9))).value_or(0);
  }
  return 0;
}

sys::Fd cgroup_oom_watch(const sys::Cgroup& cgroup) {
  const auto* hierarchy = cgroup.layout().find("memory");
  if (!hierarchy) return {};
  const std::string directory = cgroup.directory(*hierarchy);
  if (hierarchy->unified) {
    auto events = sys::open_file(directory + "/memory.events", O_RDONLY);
    return events ? *std::move(events) : sys::Fd();
  }
  auto control = sys::open_file(directory + "/memory.oom_control", O_RDONLY);
  sys::Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!control || !event.valid()) return {};
  const std::string subscription = fmt::format("{} {}", event.get(), control->get());
  if (!cgroup.write("memory", "cgroup.event_control", subscription)) return {};
  return event;
}

Result<void> remove_cgroup(const sys::Cgroup& cgroup) {
  TRY(cgroup.remove_if_empty());
  if (!cgroup.exists()) return success();
  // Processes outlive pid 1 only where it was not the first of its pid namespace.
  TRY(cgroup.signal_all(SIGKILL));
  return cgroup.remove();
}

}  // namespace skiff::monitor
