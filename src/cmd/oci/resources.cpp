#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/flags.h"
#include "cmd/oci/record.h"
#include "runtime/systemd_unit.h"
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
  Home home(global.root, flags.arguments().front());
  auto record = TRY(home.load());
  const auto status = status_of(home, record);
  auto cgroup = TRY(cgroup_of(record));
  return Target{std::move(home), std::move(record), status, std::move(cgroup)};
}

/// Reads numbers of options into optional fields; sizes may have units.
template <typename T>
Result<void> take(const Flags& flags, std::string_view name, std::optional<T>& field, bool size = false) {
  if (!flags.has(name)) return {};
  const auto text = flags.get(name);
  auto value = parse_int(text);
  if (!value && size) value = parse_ram_size(text);
  if (!value && size)
    return fail(Kind::InvalidArgument, "invalid value for {}: invalid size: '{}'", name, text);
  if (!value || (std::is_unsigned_v<T> && *value < 0))
    return fail(Kind::InvalidArgument, "invalid value for {}: strconv.{}: parsing {}: invalid syntax", name,
                std::is_unsigned_v<T> ? "ParseUint" : "ParseInt", quote(text));
  field = static_cast<T>(*value);
  return {};
}

Result<spec::oci::Resources> resources_of(const Flags& flags) {
  if (flags.has("resources")) {
    const auto path = flags.get("resources");
    return json::decode<spec::oci::Resources>(TRY(sys::read_file(path == "-" ? "/proc/self/fd/0" : path)));
  }
  if (flags.has("l3-cache-schema"))
    return Error(Kind::Unsupported, "Intel RDT/CAT: l3 cache schema is not enabled");
  if (flags.has("mem-bw-schema"))
    return Error(Kind::Unsupported, "Intel RDT/MBA: memory bandwidth schema is not enabled");
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

}  // namespace

Result<int> pause(const Global& global, const Flags& flags) {
  const auto target = TRY(find(global, flags));
  if (target.status != Status::Running && target.status != Status::Created)
    return Error(Kind::Conflict, "container not running");
  TRY(target.cgroup.freeze(true));
  return 0;
}

Result<int> resume(const Global& global, const Flags& flags) {
  const auto target = TRY(find(global, flags));
  if (target.status != Status::Paused) return Error(Kind::Conflict, "container not paused");
  TRY(target.cgroup.freeze(false));
  return 0;
}

Result<int> update(const Global& global, const Flags& flags) {
  const auto target = TRY(find(global, flags));
  if (flags.has("kernel-memory") || flags.has("kernel-memory-tcp"))
    warn("Kernel memory settings are ignored and will be removed");
  const auto resources = TRY(resources_of(flags));
  if (target.status == Status::Stopped) return Error(Kind::NotFound, "container not running");
  TRY(runtime::update_limits(target.cgroup, target.record.unit, resources));
  return 0;
}

}  // namespace skiff::oci
