#include "cmd/oci/counters.h"

#include <algorithm>

#include "base/strings.h"
#include "runtime/stats.h"
#include "spec/oci_runtime.h"
#include "sys/file.h"

namespace skiff::oci {
namespace {

void put(json::Object& object, std::string_view name, std::uint64_t value) {
  object[boost::json::string_view(name.data(), name.size())] = value;
}
void put_unless_zero(json::Object& object, std::string_view name, std::uint64_t value) {
  if (value != 0) put(object, name, value);
}
template <typename T>
void put_unless_empty(json::Object& object, std::string_view name, T value) {
  if (!value.empty()) object[boost::json::string_view(name.data(), name.size())] = std::move(value);
}

std::uint64_t number(const sys::Cgroup& cgroup, std::string_view controller, std::string_view file) {
  const auto text = cgroup.read(controller, file);
  if (!text) return 0;
  const auto word = trim(*text);
  return word == "max" ? UINT64_MAX : parse_uint(word).value_or(0);
}

/// "0-1,3" as [0,1,3].
json::Array list(const sys::Cgroup& cgroup, std::string_view file) {
  json::Array array;
  const auto text = cgroup.read("cpuset", file);
  if (!text) return array;
  if (const auto cpus = spec::oci::parse_cpu_list(trim(*text)))
    for (const auto cpu : *cpus) array.push_back(cpu);
  return array;
}

json::Object cpu_counters(const sys::Cgroup& cgroup, const runtime::CpuStats& stats) {
  json::Object usage;
  put_unless_zero(usage, "total", stats.total);
  json::Array all;
  json::Array kernel;
  json::Array user;
  for (const auto value : stats.per_cpu) all.push_back(value);
  // "cpu user system" with a line for each.
  if (const auto text = cgroup.read("cpuacct", "cpuacct.usage_all")) {
    for (const auto& line : split(*text, '\n')) {
      const auto words = split(line, ' ');
      if (words.size() != 3 || !parse_uint(words[0])) continue;
      user.push_back(parse_uint(words[1]).value_or(0));
      kernel.push_back(parse_uint(words[2]).value_or(0));
    }
  }
  put_unless_empty(usage, "percpu", std::move(all));
  put_unless_empty(usage, "percpu_kernel", std::move(kernel));
  put_unless_empty(usage, "percpu_user", std::move(user));
  put(usage, "kernel", stats.system);
  put(usage, "user", stats.user);
  json::Object throttling;
  put_unless_zero(throttling, "periods", stats.throttling_periods);
  put_unless_zero(throttling, "throttledPeriods", stats.throttled_periods);
  put_unless_zero(throttling, "throttledTime", stats.throttled_time);
  return {{"usage", std::move(usage)}, {"throttling", std::move(throttling)}};
}

json::Object cpuset_counters(const sys::Cgroup& cgroup) {
  json::Object object;
  put_unless_empty(object, "cpus", list(cgroup, "cpuset.cpus"));
  constexpr std::string_view kNames[] = {"cpu_exclusive",   "mem_hardwall",       "mem_exclusive",
                                         "memory_migrate",  "memory_spread_page", "memory_spread_slab",
                                         "memory_pressure", "sched_load_balance"};
  put(object, kNames[0], number(cgroup, "cpuset", "cpuset.cpu_exclusive"));
  put_unless_empty(object, "mems", list(cgroup, "cpuset.mems"));
  for (const auto name : std::vector<std::string_view>(std::begin(kNames) + 1, std::end(kNames)))
    put(object, name, number(cgroup, "cpuset", fmt::format("cpuset.{}", name)));
  const auto level = cgroup.read("cpuset", "cpuset.sched_relax_domain_level");
  object["sched_relax_domain_level"] = level ? parse_int(trim(*level)).value_or(0) : 0;
  return object;
}

json::Object memory_entry(const sys::Cgroup& cgroup, const std::string& prefix) {
  json::Object entry;
  put(entry, "limit", number(cgroup, "memory", prefix + ".limit_in_bytes"));
  put_unless_zero(entry, "usage", number(cgroup, "memory", prefix + ".usage_in_bytes"));
  put_unless_zero(entry, "max", number(cgroup, "memory", prefix + ".max_usage_in_bytes"));
  put(entry, "failcnt", number(cgroup, "memory", prefix + ".failcnt"));
  return entry;
}

json::Object memory_entry(std::uint64_t limit, std::uint64_t usage, std::uint64_t most,
                          std::uint64_t failures) {
  json::Object entry;
  put(entry, "limit", limit);
  put_unless_zero(entry, "usage", usage);
  put_unless_zero(entry, "max", most);
  put(entry, "failcnt", failures);
  return entry;
}

json::Object memory_counters(const sys::Cgroup& cgroup, const runtime::MemoryStats& stats) {
  json::Object object;
  const auto* hierarchy = cgroup.layout().find("memory");
  const auto cache = stats.details.find(hierarchy && hierarchy->unified ? "file" : "cache");
  if (cache != stats.details.end()) put_unless_zero(object, "cache", cache->second);
  if (hierarchy && hierarchy->unified) {
    object["usage"] = memory_entry(stats.limit, stats.usage, stats.max_usage, stats.failures);
    // runc counts swap as version 1 does: memory and swap together.
    const auto limit = number(cgroup, "memory", "memory.swap.max");
    const auto both = limit == UINT64_MAX || stats.limit == UINT64_MAX ? UINT64_MAX : limit + stats.limit;
    object["swap"] = memory_entry(both, stats.swap + stats.usage, 0, 0);
    object["kernel"] = memory_entry(0, 0, 0, 0);
    object["kernelTCP"] = memory_entry(0, 0, 0, 0);
  } else {
    object["usage"] = memory_entry(cgroup, "memory");
    object["swap"] = memory_entry(cgroup, "memory.memsw");
    object["kernel"] = memory_entry(cgroup, "memory.kmem");
    object["kernelTCP"] = memory_entry(cgroup, "memory.kmem.tcp");
  }
  json::Object raw;
  for (const auto& [name, value] : stats.details) put(raw, name, value);
  put_unless_empty(object, "raw", std::move(raw));
  return object;
}

json::Array block_entries(const std::vector<runtime::BlockIoEntry>& entries) {
  json::Array array;
  for (const auto& entry : entries) {
    json::Object object;
    put_unless_zero(object, "major", entry.major);
    put_unless_zero(object, "minor", entry.minor);
    if (!entry.operation.empty()) object["op"] = entry.operation;
    put_unless_zero(object, "value", entry.value);
    array.push_back(std::move(object));
  }
  return array;
}

/// One member for each page size that the kernel has.
json::Object hugetlb_counters(const sys::Cgroup& cgroup) {
  json::Object object;
  const auto* hierarchy = cgroup.layout().find("hugetlb");
  const auto names = sys::list_directory(cgroup.directory("hugetlb"));
  if (!hierarchy || !names) return object;
  const std::string_view usage = hierarchy->unified ? ".current" : ".usage_in_bytes";
  for (const auto& name : *names) {
    if (!name.starts_with("hugetlb.") || !name.ends_with(usage) || name.find(".rsvd.") != std::string::npos)
      continue;
    const auto base = name.substr(0, name.size() - usage.size());
    json::Object entry;
    put_unless_zero(entry, "usage", number(cgroup, "hugetlb", name));
    put_unless_zero(entry, "max", number(cgroup, "hugetlb", base + ".max_usage_in_bytes"));
    put(entry, "failcnt", number(cgroup, "hugetlb", base + ".failcnt"));
    object[base.substr(std::string_view("hugetlb.").size())] = std::move(entry);
  }
  return object;
}

}  // namespace

json::Object counters(const sys::Cgroup& cgroup) {
  json::Object object;
  const auto stats = runtime::read_stats(cgroup);
  if (!stats) return object;
  object["cpu"] = cpu_counters(cgroup, stats->cpu);
  object["cpuset"] = cpuset_counters(cgroup);
  object["memory"] = memory_counters(cgroup, stats->memory);
  json::Object pids;
  put_unless_zero(pids, "current", stats->pids.current);
  put_unless_zero(pids, "limit", stats->pids.limit);
  object["pids"] = std::move(pids);
  json::Object block_io;
  put_unless_empty(block_io, "ioServiceBytesRecursive", block_entries(stats->block_io.bytes));
  put_unless_empty(block_io, "ioServicedRecursive", block_entries(stats->block_io.operations));
  object["blkio"] = std::move(block_io);
  object["hugetlb"] = hugetlb_counters(cgroup);
  object["intel_rdt"] = json::Object();
  object["network_interfaces"] = nullptr;
  return object;
}

std::uint64_t oom_kills(const sys::Cgroup& cgroup) {
  const auto stats = runtime::read_stats(cgroup);
  return stats ? stats->memory.oom_kills : 0;
}

}  // namespace skiff::oci
