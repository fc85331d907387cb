#include "runtime/stats.h"

#include <limits>

#include "base/strings.h"

namespace skiff::runtime {
namespace {

constexpr std::uint64_t kNanosecondsPerTick = 10'000'000;  // USER_HZ is 100 for every program
constexpr std::uint64_t kNanosecondsPerMicrosecond = 1000;
/// Version 1 shows "no limit" as the largest multiple of a page.
constexpr std::uint64_t kNoLimit = std::uint64_t{1} << 62;

using Table = std::map<std::string, std::uint64_t>;

/// "name value" lines.
Table read_table(const sys::Cgroup& cgroup, std::string_view controller, std::string_view file) {
  Table table;
  const auto text = cgroup.read(controller, file);
  if (!text) return table;
  for (const auto& line : split(*text, '\n')) {
    const auto [name, value] = cut(line, ' ');
    if (value)
      if (const auto number = parse_uint(*value)) table.emplace(name, *number);
  }
  return table;
}

std::uint64_t read_number(const sys::Cgroup& cgroup, std::string_view controller, std::string_view file) {
  const auto text = cgroup.read(controller, file);
  if (!text) return 0;
  const auto word = trim(*text);
  if (word == "max") return std::numeric_limits<std::uint64_t>::max();
  return parse_uint(word).value_or(0);
}

std::uint64_t at(const Table& table, const std::string& name) {
  const auto found = table.find(name);
  return found == table.end() ? 0 : found->second;
}

CpuStats read_cpu(const sys::Cgroup& cgroup) {
  CpuStats stats;
  if (const auto* hierarchy = cgroup.layout().find("cpuacct")) {
    (void)hierarchy;
    stats.total = read_number(cgroup, "cpuacct", "cpuacct.usage");
    const auto split_time = read_table(cgroup, "cpuacct", "cpuacct.stat");
    stats.user = at(split_time, "user") * kNanosecondsPerTick;
    stats.system = at(split_time, "system") * kNanosecondsPerTick;
    if (const auto text = cgroup.read("cpuacct", "cpuacct.usage_percpu"))
      for (const auto& word : split(*text, ' '))
        if (const auto number = parse_uint(trim(word))) stats.per_cpu.push_back(*number);
    const auto throttling = read_table(cgroup, "cpu", "cpu.stat");
    stats.throttling_periods = at(throttling, "nr_periods");
    stats.throttled_periods = at(throttling, "nr_throttled");
    stats.throttled_time = at(throttling, "throttled_time");
    return stats;
  }
  const auto table = read_table(cgroup, "cpu", "cpu.stat");
  stats.total = at(table, "usage_usec") * kNanosecondsPerMicrosecond;
  stats.user = at(table, "user_usec") * kNanosecondsPerMicrosecond;
  stats.system = at(table, "system_usec") * kNanosecondsPerMicrosecond;
  stats.throttling_periods = at(table, "nr_periods");
  stats.throttled_periods = at(table, "nr_throttled");
  stats.throttled_time = at(table, "throttled_usec") * kNanosecondsPerMicrosecond;
  return stats;
}

MemoryStats read_memory(const sys::Cgroup& cgroup) {
  MemoryStats stats;
  stats.details = read_table(cgroup, "memory", "memory.stat");
  const auto* hierarchy = cgroup.layout().find("memory");
  if (hierarchy && hierarchy->unified) {
    stats.usage = read_number(cgroup, "memory", "memory.current");
    stats.max_usage = read_number(cgroup, "memory", "memory.peak");
    stats.limit = read_number(cgroup, "memory", "memory.max");
    stats.swap = read_number(cgroup, "memory", "memory.swap.current");
    const auto events = read_table(cgroup, "memory", "memory.events");
    stats.failures = at(events, "max");
    stats.oom_kills = at(events, "oom_kill");
    return stats;
  }
  stats.usage = read_number(cgroup, "memory", "memory.usage_in_bytes");
  stats.max_usage = read_number(cgroup, "memory", "memory.max_usage_in_bytes");
  stats.limit = read_number(cgroup, "memory", "memory.limit_in_bytes");
  if (stats.limit >= kNoLimit) stats.limit = std::numeric_limits<std::uint64_t>::max();
  stats.failures = read_number(cgroup, "memory", "memory.failcnt");
  const auto with_swap = read_number(cgroup, "memory", "memory.memsw.usage_in_bytes");
  stats.swap = with_swap > stats.usage ? with_swap - stats.usage : 0;
  stats.oom_kills = at(read_table(cgroup, "memory", "memory.oom_control"), "oom_kill");
  return stats;
}

PidsStats read_pids(const sys::Cgroup& cgroup) {
  PidsStats stats;
  stats.current = read_number(cgroup, "pids", "pids.current");
  if (!cgroup.has("pids")) {
    if (const auto pids = cgroup.processes()) stats.current = pids->size();
    return stats;
  }
  const auto limit = read_number(cgroup, "pids", "pids.max");
  stats.limit = limit == std::numeric_limits<std::uint64_t>::max() ? 0 : limit;
  return stats;
}

bool read_device(std::string_view text, BlockIoEntry& entry) {
  const auto [major, minor] = cut(text, ':');
  if (!minor) return false;
  entry.major = parse_uint(major).value_or(0);
  entry.minor = parse_uint(*minor).value_or(0);
  return true;
}

/// Version 1: "8:0 Read 4096".
std::vector<BlockIoEntry> read_blkio(const sys::Cgroup& cgroup,
                                     std::initializer_list<std::string_view> files) {
  std::vector<BlockIoEntry> entries;
  for (const auto file : files) {
    const auto text = cgroup.read("blkio", file);
    if (!text) continue;
    for (const auto& line : split(*text, '\n')) {
      const auto words = split(line, ' ');
      BlockIoEntry entry;
      if (words.size() != 3 || !read_device(words[0], entry)) continue;
      entry.operation = words[1];
      entry.value = parse_uint(words[2]).value_or(0);
      entries.push_back(std::move(entry));
    }
    if (!entries.empty()) break;
  }
  return entries;
}

/// Version 2: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6".
BlockIoStats read_io(const sys::Cgroup& cgroup) {
  BlockIoStats stats;
  const auto text = cgroup.read("io", "io.stat");
  if (!text) return stats;
  for (const auto& line : split(*text, '\n')) {
    const auto words = split(line, ' ');
    BlockIoEntry entry;
    if (words.size() < 2 || !read_device(words[0], entry)) continue;
    for (std::size_t i = 1; i < words.size(); ++i) {
      const auto [name, value] = cut(words[i], '=');
      entry.value = parse_uint(value.value_or("")).value_or(0);
      entry.operation = name.starts_with('r') ? "read" : name.starts_with('w') ? "write" : "discard";
      (name.ends_with("bytes") ? stats.bytes : stats.operations).push_back(entry);
    }
  }
  return stats;
}

}  // namespace

Result<Stats> read_stats(const sys::Cgroup& cgroup) {
  if (!cgroup.exists()) return fail(Kind::NotFound, "cgroup {} does not exist", cgroup.path());
  Stats stats;
  stats.cgroup_version = cgroup.layout().pure_unified() ? 2 : 1;
  stats.cpu = read_cpu(cgroup);
  stats.memory = read_memory(cgroup);
  stats.pids = read_pids(cgroup);
  if (cgroup.has("io")) {
    stats.block_io = read_io(cgroup);
  } else {
    stats.block_io.bytes =
        read_blkio(cgroup, {"blkio.bfq.io_service_bytes_recursive",
                            "blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes"});
    stats.block_io.operations =
        read_blkio(cgroup, {"blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive",
                            "blkio.throttle.io_serviced"});
  }
  return stats;
}

void describe(json::Fields& f, CpuStats& stats) {
  f("total", stats.total);
  f("user", stats.user);
  f("system", stats.system);
  f("perCpu", stats.per_cpu, json::Omit::Empty);
  f("throttlingPeriods", stats.throttling_periods);
  f("throttledPeriods", stats.throttled_periods);
  f("throttledTime", stats.throttled_time);
}

void describe(json::Fields& f, MemoryStats& stats) {
  f("usage", stats.usage);
  f("maxUsage", stats.max_usage);
  f("limit", stats.limit);
  f("failures", stats.failures);
  f("swap", stats.swap);
  f("oomKills", stats.oom_kills);
  f("details", stats.details);
}

void describe(json::Fields& f, PidsStats& stats) {
  f("current", stats.current);
  f("limit", stats.limit);
}

void describe(json::Fields& f, BlockIoEntry& entry) {
  f("major", entry.major);
  f("minor", entry.minor);
  f("operation", entry.operation);
  f("value", entry.value);
}

void describe(json::Fields& f, BlockIoStats& stats) {
  f("bytes", stats.bytes);
  f("operations", stats.operations);
}

void describe(json::Fields& f, Stats& stats) {
  f("cgroupVersion", stats.cgroup_version);
  f("cpu", stats.cpu);
  f("memory", stats.memory);
  f("pids", stats.pids);
  f("blockIo", stats.block_io);
}

}  // namespace skiff::runtime
