#include <poll.h>

#include <iostream>

#include "base/clock.h"
#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/flags.h"
#include "cmd/oci/record.h"
#include "runtime/cgroup.h"
#include "runtime/stats.h"
#include "sys/file.h"

namespace skiff::oci {
namespace {

struct Target {
  Home home;
  Record record;
  Status status;
  sys::Cgroup cgroup;
};

Result<Target> find(const Global& global, const Flags& flags) {
  if (flags.arguments().empty()) return Error(Kind::InvalidArgument, "a container's id is wanted");
  Home home(global.root, flags.arguments().front());
  auto record = TRY(home.load());
  const auto status = status_of(home, record);
  auto cgroup = TRY(cgroup_of(record));
  return Target{std::move(home), std::move(record), status, std::move(cgroup)};
}

const std::vector<Flag> kUpdateFlags = {
    {"resources", 'r', true},   {"blkio-weight", 0, true},   {"cpu-period", 0, true},
    {"cpu-quota", 0, true},     {"cpu-burst", 0, true},      {"cpu-share", 0, true},
    {"cpu-rt-period", 0, true}, {"cpu-rt-runtime", 0, true}, {"cpuset-cpus", 0, true},
    {"cpuset-mems", 0, true},   {"kernel-memory", 0, true},  {"kernel-memory-tcp", 0, true},
    {"memory", 0, true},        {"cpu-idle", 0, true},       {"memory-reservation", 0, true},
    {"memory-swap", 0, true},   {"pids-limit", 0, true}};

/// Reads numbers of options into optional fields; sizes may have units.
template <typename T>
Result<void> take(const Flags& flags, std::string_view name, std::optional<T>& field, bool size = false) {
  if (!flags.has(name)) return {};
  const auto text = flags.get(name);
  auto value = parse_int(text);
  if (!value && size) value = parse_ram_size(text);
  if (!value) return fail(Kind::InvalidArgument, "invalid value for {}: {}", name, quote(text));
  field = static_cast<T>(*value);
  return {};
}

Result<spec::oci::Resources> resources_of(const Flags& flags) {
  if (flags.has("resources")) {
    const auto path = flags.get("resources");
    return json::decode<spec::oci::Resources>(TRY(sys::read_file(path == "-" ? "/proc/self/fd/0" : path)));
  }
  spec::oci::Resources resources;
  auto& cpu = resources.cpu.emplace();
  TRY(take(flags, "cpu-period", cpu.period));
  TRY(take(flags, "cpu-quota", cpu.quota));
  TRY(take(flags, "cpu-burst", cpu.burst));
  TRY(take(flags, "cpu-share", cpu.shares));
  TRY(take(flags, "cpu-rt-period", cpu.realtime_period));
  TRY(take(flags, "cpu-rt-runtime", cpu.realtime_runtime));
  TRY(take(flags, "cpu-idle", cpu.idle));
  cpu.cpus = flags.get("cpuset-cpus");
  cpu.mems = flags.get("cpuset-mems");
  auto& memory = resources.memory.emplace();
  TRY(take(flags, "memory", memory.limit, true));
  TRY(take(flags, "memory-reservation", memory.reservation, true));
  TRY(take(flags, "memory-swap", memory.swap, true));
  TRY(take(flags, "pids-limit", resources.pids.emplace().limit));
  if (flags.has("blkio-weight")) TRY(take(flags, "blkio-weight", resources.block_io.emplace().weight));
  return resources;
}

struct EventOutput {
  std::string type;
  std::string id;
  runtime::Stats data;
};
void describe(json::Fields& f, EventOutput& event) {
  f("type", event.type);
  f("id", event.id);
  f("data", event.data);
}

}  // namespace

Result<int> pause(const Global& global, const Words& words) {
  const auto target = TRY(find(global, TRY(Flags::parse(words, {}))));
  if (target.status != Status::Running && target.status != Status::Created)
    return fail(Kind::Conflict, "container not running or created: {}", to_string(target.status));
  TRY(target.cgroup.freeze(true));
  return 0;
}

Result<int> resume(const Global& global, const Words& words) {
  const auto target = TRY(find(global, TRY(Flags::parse(words, {}))));
  if (target.status != Status::Paused) return Error(Kind::Conflict, "container not paused");
  TRY(target.cgroup.freeze(false));
  return 0;
}

Result<int> update(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, kUpdateFlags));
  const auto target = TRY(find(global, flags));
  if (target.status == Status::Stopped) return Error(Kind::NotFound, "container not running");
  TRY(runtime::update_resources(target.cgroup, TRY(resources_of(flags))));
  return 0;
}

Result<int> events(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, {{"interval", 0, true}, {"stats"}}));
  const auto interval = parse_duration(flags.get("interval", "5s"));
  if (!interval || interval->count() <= 0)
    return Error(Kind::InvalidArgument, "duration interval must be greater than 0");
  const auto target = TRY(find(global, flags));
  if (target.status == Status::Stopped)
    return fail(Kind::Conflict, "container with id {} is not running", target.home.id());
  const auto process = TRY(process_of(target.record));
  for (;;) {
    std::cout << json::encode(EventOutput{"stats", target.home.id(), TRY(runtime::read_stats(target.cgroup))})
              << std::endl;
    if (flags.has("stats")) return 0;
    pollfd entry = {process.pidfd().get(), POLLIN, 0};
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(*interval).count();
    if (::poll(&entry, 1, static_cast<int>(milliseconds)) > 0) return 0;
  }
}

}  // namespace skiff::oci
