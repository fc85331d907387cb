#include "spec/docker/stats.h"

namespace skiff::spec::docker {

using json::Omit;

void describe(json::Fields& f, PidsStats& stats) {
  f("current", stats.current, Omit::Empty);
  f("limit", stats.limit, Omit::Empty);
}

void describe(json::Fields& f, BlkioEntry& entry) {
  f("major", entry.major);
  f("minor", entry.minor);
  f("op", entry.op);
  f("value", entry.value);
}

void describe(json::Fields& f, BlkioStats& stats) {
  f("io_service_bytes_recursive", stats.io_service_bytes_recursive);
  f("io_serviced_recursive", stats.io_serviced_recursive);
  f("io_queue_recursive", stats.io_queue_recursive);
  f("io_service_time_recursive", stats.io_service_time_recursive);
  f("io_wait_time_recursive", stats.io_wait_time_recursive);
  f("io_merged_recursive", stats.io_merged_recursive);
  f("io_time_recursive", stats.io_time_recursive);
  f("sectors_recursive", stats.sectors_recursive);
}

void describe(json::Fields& f, CpuUsage& usage) {
  f("total_usage", usage.total_usage);
  f("percpu_usage", usage.percpu_usage, Omit::Empty);
  f("usage_in_kernelmode", usage.usage_in_kernelmode);
  f("usage_in_usermode", usage.usage_in_usermode);
}

void describe(json::Fields& f, ThrottlingData& data) {
  f("periods", data.periods);
  f("throttled_periods", data.throttled_periods);
  f("throttled_time", data.throttled_time);
}

void describe(json::Fields& f, CpuStats& stats) {
  f("cpu_usage", stats.cpu_usage);
  f("system_cpu_usage", stats.system_cpu_usage, Omit::Empty);
  f("online_cpus", stats.online_cpus, Omit::Empty);
  f("throttling_data", stats.throttling_data);
}

void describe(json::Fields& f, MemoryStats& stats) {
  f("usage", stats.usage, Omit::Empty);
  f("max_usage", stats.max_usage, Omit::Empty);
  f("stats", stats.stats, Omit::Empty);
  f("failcnt", stats.failcnt, Omit::Empty);
  f("limit", stats.limit, Omit::Empty);
}

void describe(json::Fields& f, NetworkStats& stats) {
  f("rx_bytes", stats.rx_bytes);
  f("rx_packets", stats.rx_packets);
  f("rx_errors", stats.rx_errors);
  f("rx_dropped", stats.rx_dropped);
  f("tx_bytes", stats.tx_bytes);
  f("tx_packets", stats.tx_packets);
  f("tx_errors", stats.tx_errors);
  f("tx_dropped", stats.tx_dropped);
}

void describe(json::Fields& f, StatsResponse& stats) {
  f("name", stats.name, Omit::Empty);
  f("id", stats.id, Omit::Empty);
  f("read", stats.read);
  f("preread", stats.preread);
  f("pids_stats", stats.pids_stats);
  f("blkio_stats", stats.blkio_stats);
  f("num_procs", stats.num_procs);
  // Only Windows fills it, but Docker writes it everywhere.
  if (!f.reading()) f.object().insert_or_assign("storage_stats", json::Object());
  f("cpu_stats", stats.cpu_stats);
  f("precpu_stats", stats.precpu_stats);
  f("memory_stats", stats.memory_stats);
  f("networks", stats.networks, Omit::Empty);
}

}  // namespace skiff::spec::docker
