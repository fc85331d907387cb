#include "engine/stats.h"

#include <condition_variable>
#include <cstdio>

#include "base/strings.h"
#include "engine/container.h"
#include "engine/host_facts.h"
#include "runtime/stats.h"
#include "sys/file.h"

namespace skiff::engine {
namespace {

using spec::docker::StatsResponse;

/// Nanoseconds that all CPUs have worked, from the first line of /proc/stat, which counts in 1/100 s.
std::uint64_t system_cpu() {
  const auto text = sys::read_file("/proc/stat", 1 << 20);
  if (!text.ok()) return 0;
  constexpr std::uint64_t kNanosecondsPerTick = 10'000'000;
  std::uint64_t ticks = 0;
  int column = 0;
  for (const std::string& word : split(cut(*text, '\n').first, ' ')) {
    const auto number = parse_uint(word);
    if (number && ++column <= 8) ticks += *number;
  }
  return ticks * kNanosecondsPerTick;
}

/// Counters of the interfaces in a process's network namespace, without the loopback.
std::map<std::string, spec::docker::NetworkStats> network_counters(int pid) {
  std::map<std::string, spec::docker::NetworkStats> result;
  const auto text = sys::read_file(fmt::format("/proc/{}/net/dev", pid), 1 << 20);
  if (!text.ok()) return result;
  for (const std::string& line : split(*text, '\n')) {
    const auto [name, counters] = cut(line, ':');
    if (!counters || trim(name) == "lo") continue;
    spec::docker::NetworkStats n;
    unsigned long long v[12] = {};
    const std::string numbers(*counters);
    if (std::sscanf(numbers.c_str(), "%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0],
                    &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8], &v[9], &v[10], &v[11]) != 12)
      continue;
    n.rx_bytes = v[0];
    n.rx_packets = v[1];
    n.rx_errors = v[2];
    n.rx_dropped = v[3];
    n.tx_bytes = v[8];
    n.tx_packets = v[9];
    n.tx_errors = v[10];
    n.tx_dropped = v[11];
    result[std::string(trim(name))] = n;
  }
  return result;
}

std::vector<spec::docker::BlkioEntry> entries(const std::vector<runtime::BlockIoEntry>& counted) {
  std::vector<spec::docker::BlkioEntry> result;
  for (const auto& entry : counted)
    result.push_back({entry.major, entry.minor, entry.operation, entry.value});
  return result;
}

/// The runtime's counters under Docker's names.
void take_counters(const runtime::Stats& counted, StatsResponse& stats) {
  auto& cpu = stats.cpu_stats;
  cpu.cpu_usage.total_usage = counted.cpu.total;
  cpu.cpu_usage.percpu_usage = counted.cpu.per_cpu;
  cpu.cpu_usage.usage_in_usermode = counted.cpu.user;
  cpu.cpu_usage.usage_in_kernelmode = counted.cpu.system;
  cpu.throttling_data = {counted.cpu.throttling_periods, counted.cpu.throttled_periods,
                         counted.cpu.throttled_time};
  auto& memory = stats.memory_stats;
  memory.usage = counted.memory.usage;
  memory.max_usage = counted.memory.max_usage;
  memory.limit = counted.memory.limit;
  memory.failcnt = counted.memory.failures;
  memory.stats = counted.memory.details;
  stats.pids_stats = {counted.pids.current, counted.pids.limit};
  stats.num_procs = 0;
  stats.blkio_stats.io_service_bytes_recursive = entries(counted.block_io.bytes);
  stats.blkio_stats.io_serviced_recursive = entries(counted.block_io.operations);
}

/// One sample; all zero for a container that does not run.
Result<StatsResponse> sample(Container& container) {
  const Definition definition = container.definition_now();
  const RunState run = container.run_now();
  StatsResponse stats;
  if (const auto task = container.task_now(); task && is_running(run.state)) {
    auto counters = task->stats();
    if (counters.ok())
      take_counters(TRY(json::decode<runtime::Stats>(*counters)), stats);
    else if (counters.error().kind() != Kind::Unavailable && counters.error().kind() != Kind::NotFound)
      return counters.error();
    if (definition.host.network_mode != "host" && run.pid > 0) stats.networks = network_counters(run.pid);
    stats.cpu_stats.system_cpu_usage = system_cpu();
    stats.cpu_stats.online_cpus = static_cast<std::uint32_t>(host_facts().cpus);
    const auto memory = static_cast<std::uint64_t>(host_facts().memory);
    if (stats.memory_stats.limit == 0 || stats.memory_stats.limit > memory) stats.memory_stats.limit = memory;
    stats.read = now();
  }
  stats.name = "/" + definition.name;
  stats.id = container.id;
  return stats;
}

void set_previous(StatsResponse& stats, const StatsResponse& before) {
  stats.precpu_stats = before.cpu_stats;
  stats.preread = before.read;
}

/// False when given up.
bool pause_for(std::chrono::milliseconds time, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

constexpr std::chrono::milliseconds kInterval{1000};

}  // namespace

Result<StatsResponse> Stats::once(std::string_view name, bool pre, std::stop_token stop) {
  const auto container = TRY(set_.find(name));
  StatsResponse first = TRY(sample(*container));
  if (!pre || !is_running(container->state_now())) return first;
  if (!pause_for(kInterval, stop)) return Error(Kind::Cancelled, "the statistics were given up");
  StatsResponse second = TRY(sample(*container));
  set_previous(second, first);
  return second;
}

Result<void> Stats::stream(std::string_view name,
                           const std::function<Result<void>(const StatsResponse&)>& sink,
                           std::stop_token stop) {
  const auto container = TRY(set_.find(name));
  StatsResponse before;
  do {
    {
      const MutexLock lock(container->mutex);
      if (container->removed) return {};
    }
    StatsResponse stats = TRY(sample(*container));
    set_previous(stats, before);
    TRY(sink(stats));
    before = std::move(stats);
  } while (pause_for(kInterval, stop));
  return {};
}

}  // namespace skiff::engine
