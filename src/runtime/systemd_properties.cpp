// What limits are among the properties of systemd's units: systemd.resource-control(5).
#include <algorithm>
#include <limits>

#include "base/strings.h"
#include "runtime/cgroup.h"
#include "runtime/device_filter.h"
#include "runtime/systemd_unit.h"
#include "sys/file.h"

namespace skiff::runtime {
namespace {

using namespace spec::oci;
using sys::dbus::Properties;

constexpr std::uint64_t kInfinity = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kDefaultPeriod = 100'000;  ///< microseconds, the kernel's
constexpr int kKnowsCpuPeriod = 242;
constexpr int kKnowsCpusets = 244;

/// Below zero is no limit.
std::uint64_t amount(std::int64_t value) { return value < 0 ? kInfinity : static_cast<std::uint64_t>(value); }

void add_cpu_quota(Properties& properties, std::int64_t quota, std::uint64_t period, int version) {
  if (period != 0 && version >= kKnowsCpuPeriod) properties.push_back({"CPUQuotaPeriodUSec", period});
  if (quota == 0 && period == 0) return;
  std::uint64_t per_second = kInfinity;
  if (quota > 0) {
    per_second = static_cast<std::uint64_t>(quota) * 1'000'000 / (period == 0 ? kDefaultPeriod : period);
    // systemd keeps whole per cents: rounded up, so that those in the container may have what it has.
    constexpr std::uint64_t kPerCent = 10'000;
    per_second = (per_second + kPerCent - 1) / kPerCent * kPerCent;
  }
  properties.push_back({"CPUQuotaPerSecUSec", per_second});
}

/// "0-2,5" as a mask, the lowest eight first.
Result<std::vector<std::uint8_t>> mask_of(const std::string& list) {
  std::vector<std::uint8_t> mask;
  constexpr std::uint64_t kMost = 8192;  // CPUs that the kernel can have
  for (const auto& range : split(list, ',')) {
    if (trim(range).empty()) continue;
    const auto [from, to] = cut(trim(range), '-');
    const auto first = parse_uint(from);
    const auto last = to ? parse_uint(*to) : first;
    if (!first || !last || *first > *last || *last >= kMost)
      return fail(Kind::InvalidArgument, "invalid range {}", quote(list));
    mask.resize(std::max<std::size_t>(mask.size(), *last / 8 + 1));
    for (auto i = *first; i <= *last; ++i) mask[i / 8] |= static_cast<std::uint8_t>(1U << (i % 8));
  }
  return mask;
}

Result<void> add_cpuset(Properties& properties, const char* name, const std::string& list, int version) {
  if (list.empty() || version < kKnowsCpusets) return {};
  properties.push_back({name, TRY_CONTEXT(mask_of(list), "{}", name)});
  return {};
}

void add_memory(Properties& properties, const Memory& memory, bool unified) {
  const auto limit = memory.limit.value_or(0);
  if (limit != 0) properties.push_back({unified ? "MemoryMax" : "MemoryLimit", amount(limit)});
  if (!unified) return;
  if (memory.reservation.value_or(0) != 0) properties.push_back({"MemoryLow", amount(*memory.reservation)});
  // The specification counts memory and swap together, version 2 counts swap alone.
  auto swap = memory.swap.value_or(0);
  if (swap == 0) return;
  if (swap > 0 && limit > 0) swap -= std::min(swap, limit);
  properties.push_back({"MemorySwapMax", amount(swap)});
}

/// Of version 2's own files those that systemd has a property for; the others stand in the file alone.
Result<void> add_unified(Properties& properties, const std::string& file, const std::string& text,
                         int version) {
  constexpr std::pair<std::string_view, const char*> kAmounts[] = {
      {"memory.high", "MemoryHigh"}, {"memory.low", "MemoryLow"},          {"memory.min", "MemoryMin"},
      {"memory.max", "MemoryMax"},   {"memory.swap.max", "MemorySwapMax"}, {"pids.max", "TasksMax"},
      {"cpu.weight", "CPUWeight"}};
  const auto value = trim(text);
  const auto parsed = [&](std::string_view part) -> Result<std::uint64_t> {
    if (part == "max") return kInfinity;
    if (const auto number = parse_uint(part)) return *number;
    return fail(Kind::InvalidArgument, "unified resource {} value invalid: {}", quote(file), quote(text));
  };
  for (const auto& [known, name] : kAmounts)
    if (file == known) properties.push_back({name, TRY(parsed(value))});
  if (file == "cpu.max") {
    const auto [quota, period] = cut(value, ' ');
    const auto limit = TRY(parsed(quota));
    add_cpu_quota(properties, limit == kInfinity ? 0 : static_cast<std::int64_t>(limit),
                  period ? TRY(parsed(trim(*period))) : kDefaultPeriod, version);
  }
  if (file == "cpuset.cpus") return add_cpuset(properties, "AllowedCPUs", std::string(value), version);
  if (file == "cpuset.mems") return add_cpuset(properties, "AllowedMemoryNodes", std::string(value), version);
  return {};
}

/// The name that the kernel gives all devices of that number, in /proc/devices.
std::string device_group(std::string_view kind, std::int64_t major) {
  const auto text = sys::read_file("/proc/devices").value_or("");
  bool here = false;
  for (const auto& line : split(text, '\n')) {
    if (line.ends_with("devices:")) here = line.starts_with(kind == "char" ? "Character" : "Block");
    const auto [number, name] = cut(trim(line), ' ');
    if (here && name && parse_int(number) == major) return std::string(trim(*name));
  }
  return {};
}

/// systemd's list knows no exceptions: a rule that takes something back counts when it takes back all, or the
/// very thing that another gave. So the list may have more than our own filter lets through, never less.
struct DeviceList {
  bool all = true;
  std::vector<std::pair<std::string, std::string>> allowed;

  void add(const DeviceRule& rule) {
    const bool everything = rule.type.empty() || rule.type == "a";
    if (everything) {
      all = rule.allow;
      allowed.clear();
      return;
    }
    const std::string kind = rule.type == "b" ? "block" : "char";
    std::string name = kind + "-*";
    const auto number = [](const std::optional<std::int64_t>& n) { return n.value_or(-1); };
    if (number(rule.major) >= 0 && number(rule.minor) >= 0)
      name = fmt::format("/dev/{}/{}:{}", kind, *rule.major, *rule.minor);
    else if (number(rule.major) >= 0)
      name = fmt::format("{}-{}", kind, device_group(kind, *rule.major));
    if (name.ends_with('-')) return;  // the kernel has no such devices
    std::erase_if(allowed, [&](const auto& entry) { return entry.first == name; });
    if (rule.allow && !all) allowed.emplace_back(name, rule.access.empty() ? "rwm" : rule.access);
  }
};

void add_devices(Properties& properties, const std::vector<DeviceRule>& rules) {
  DeviceList list;
  for (const auto& rule : rules) list.add(rule);
  if (!rules.empty())
    for (const auto& rule : default_device_allowances()) list.add(rule);
  properties.push_back({"DevicePolicy", std::string(list.all ? "auto" : "strict")});
  properties.push_back({"DeviceAllow", std::move(list.allowed)});
}

}  // namespace

Result<Properties> resource_properties(const Resources& resources, bool unified, int version) {
  Properties properties;
  if (resources.memory) add_memory(properties, *resources.memory, unified);
  if (const auto& cpu = resources.cpu) {
    if (cpu->shares.value_or(0) != 0 && unified)
      properties.push_back({"CPUWeight", cpu_weight_from_shares(*cpu->shares)});
    else if (cpu->shares.value_or(0) != 0)
      properties.push_back({"CPUShares", *cpu->shares});
    add_cpu_quota(properties, cpu->quota.value_or(0), cpu->period.value_or(0), version);
    TRY(add_cpuset(properties, "AllowedCPUs", cpu->cpus, version));
    TRY(add_cpuset(properties, "AllowedMemoryNodes", cpu->mems, version));
  }
  if (!unified && resources.block_io && resources.block_io->weight.value_or(0) != 0)
    properties.push_back({"BlockIOWeight", std::uint64_t{*resources.block_io->weight}});
  if (resources.pids && resources.pids->limit.value_or(0) != 0)
    properties.push_back({"TasksMax", amount(*resources.pids->limit)});
  if (unified)
    for (const auto& [file, value] : resources.unified) TRY(add_unified(properties, file, value, version));
  return properties;
}

Result<Properties> unit_properties(const SystemdUnit& unit, const std::string& id, pid_t pid,
                                   const Resources& resources, bool unified, int version) {
  const auto slice = unit.slice.empty() ? unit.cgroup.substr(0, unit.cgroup.rfind('/')) : unit.slice;
  const auto slice_name = slice.substr(slice.rfind('/') + 1);
  Properties properties = {{"Description", "skiff container " + id}};
  // Slices are below others by their names; what they need is wanted.
  if (unit.name.ends_with(".slice")) {
    properties.push_back({"Wants", std::vector<std::string>{slice_name}});
  } else {
    properties.push_back({"Slice", slice_name});
    properties.push_back({"Delegate", true});
  }
  properties.push_back({"PIDs", std::vector<std::uint32_t>{static_cast<std::uint32_t>(pid)}});
  for (const char* name : {"MemoryAccounting", "CPUAccounting",
                           unified ? "IOAccounting" : "BlockIOAccounting", "TasksAccounting"})
    properties.push_back({name, true});
  properties.push_back({"DefaultDependencies", false});
  // Behind these and before the limits: of two that say the same systemd obeys the latter.
  properties.insert(properties.end(), unit.more.begin(), unit.more.end());
  add_devices(properties, resources.devices);
  auto limits = TRY(resource_properties(resources, unified, version));
  properties.insert(properties.end(), std::make_move_iterator(limits.begin()),
                    std::make_move_iterator(limits.end()));
  return properties;
}

}  // namespace skiff::runtime
