#include "monitor/container_cgroup.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/json.h"
#include "base/strings.h"
#include "runtime/stats.h"
#include "runtime/systemd_unit.h"
#include "sys/file.h"

namespace skiff::monitor {

Result<CgroupPlace> cgroup_of(const runtime::CreateOptions& options) {
  if (!options.systemd_cgroup)
    return CgroupPlace{.cgroup = runtime::cgroup_path_of(options.config, options.id), .unit = {}};
  auto unit = TRY(runtime::find_unit(options.config, options.id));
  return CgroupPlace{.cgroup = std::move(unit.cgroup), .unit = std::move(unit.name)};
}

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

namespace {

/// Processes outlive pid 1 only where it was not the first of its pid namespace.
Result<void> end_processes(const sys::Cgroup& cgroup) {
  const auto left = cgroup.processes();
  return left && left->empty() ? success() : cgroup.signal_all(SIGKILL);
}

}  // namespace

Result<void> remove_cgroup(const sys::Cgroup& cgroup, const std::string& unit) {
  if (unit.empty()) TRY(cgroup.remove_if_empty());
  Result<void> ended = cgroup.exists() ? end_processes(cgroup) : success();
  // Whatever systemd says to it, the directories go.
  Result<void> stopped = unit.empty() ? success() : runtime::stop_unit(unit);
  if (ended && cgroup.exists()) ended = cgroup.remove();
  return ended ? stopped : ended;
}

}  // namespace skiff::monitor
