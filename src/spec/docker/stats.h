#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"

/// Answer of GET /containers/{id}/stats.
namespace skiff::spec::docker {

struct PidsStats {
  std::uint64_t current = 0;
  std::uint64_t limit = 0;
};

struct BlkioEntry {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::string op;  ///< "read", "write" (v2), "Read", "Total" ... (v1)
  std::uint64_t value = 0;
};

struct BlkioStats {
  std::vector<BlkioEntry> io_service_bytes_recursive;
  std::vector<BlkioEntry> io_serviced_recursive;
  std::vector<BlkioEntry> io_queue_recursive;
  std::vector<BlkioEntry> io_service_time_recursive;
  std::vector<BlkioEntry> io_wait_time_recursive;
  std::vector<BlkioEntry> io_merged_recursive;
  std::vector<BlkioEntry> io_time_recursive;
  std::vector<BlkioEntry> sectors_recursive;
};

struct CpuUsage {
  std::uint64_t total_usage = 0;  ///< nanoseconds
  std::vector<std::uint64_t> percpu_usage;
  std::uint64_t usage_in_kernelmode = 0;
  std::uint64_t usage_in_usermode = 0;
};

struct ThrottlingData {
  std::uint64_t periods = 0;
  std::uint64_t throttled_periods = 0;
  std::uint64_t throttled_time = 0;
};

struct CpuStats {
  CpuUsage cpu_usage;
  std::uint64_t system_cpu_usage = 0;  ///< nanoseconds of all CPUs
  std::uint32_t online_cpus = 0;
  ThrottlingData throttling_data;
};

struct MemoryStats {
  std::uint64_t usage = 0;
  std::uint64_t max_usage = 0;
  std::map<std::string, std::uint64_t> stats;
  std::uint64_t failcnt = 0;
  std::uint64_t limit = 0;
};

struct NetworkStats {
  std::uint64_t rx_bytes = 0;
  std::uint64_t rx_packets = 0;
  std::uint64_t rx_errors = 0;
  std::uint64_t rx_dropped = 0;
  std::uint64_t tx_bytes = 0;
  std::uint64_t tx_packets = 0;
  std::uint64_t tx_errors = 0;
  std::uint64_t tx_dropped = 0;
};

struct StatsResponse {
  std::string name;  ///< "/name"
  std::string id;
  Time read{};
  Time preread{};
  PidsStats pids_stats;
  BlkioStats blkio_stats;
  std::uint32_t num_procs = 0;
  CpuStats cpu_stats;
  CpuStats precpu_stats;
  MemoryStats memory_stats;
  std::map<std::string, NetworkStats> networks;  ///< by interface
};

void describe(json::Fields& f, PidsStats& stats);
void describe(json::Fields& f, BlkioEntry& entry);
void describe(json::Fields& f, BlkioStats& stats);
void describe(json::Fields& f, CpuUsage& usage);
void describe(json::Fields& f, ThrottlingData& data);
void describe(json::Fields& f, CpuStats& stats);
void describe(json::Fields& f, MemoryStats& stats);
void describe(json::Fields& f, NetworkStats& stats);
void describe(json::Fields& f, StatsResponse& stats);

}  // namespace skiff::spec::docker
