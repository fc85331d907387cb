#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "sys/cgroup.h"

/// Counters of a container's cgroups, the same for both versions. What the kernel does not count is 0 or
/// absent.
namespace skiff::runtime {

struct CpuStats {
  std::uint64_t total = 0;  ///< nanoseconds of CPU time
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  std::vector<std::uint64_t> per_cpu;  ///< version 1 only
  std::uint64_t throttling_periods = 0;
  std::uint64_t throttled_periods = 0;
  std::uint64_t throttled_time = 0;  ///< nanoseconds
};

struct MemoryStats {
  std::uint64_t usage = 0;      ///< bytes, page cache included
  std::uint64_t max_usage = 0;  ///< 0 when not counted
  std::uint64_t limit = 0;      ///< bytes; UINT64_MAX without a limit
  std::uint64_t failures = 0;   ///< how often the limit was hit
  std::uint64_t swap = 0;
  std::uint64_t oom_kills = 0;
  std::map<std::string, std::uint64_t> details;  ///< memory.stat as the kernel names it
};

struct PidsStats {
  std::uint64_t current = 0;
  std::uint64_t limit = 0;  ///< 0 without a limit
};

struct BlockIoEntry {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::string operation;  ///< "Read", "Write", "Sync" ... (version 2: "read", "write")
  std::uint64_t value = 0;
};

struct BlockIoStats {
  std::vector<BlockIoEntry> bytes;
  std::vector<BlockIoEntry> operations;
};

struct Stats {
  int cgroup_version = 1;
  CpuStats cpu;
  MemoryStats memory;
  PidsStats pids;
  BlockIoStats block_io;
};

void describe(json::Fields& f, CpuStats& stats);
void describe(json::Fields& f, MemoryStats& stats);
void describe(json::Fields& f, PidsStats& stats);
void describe(json::Fields& f, BlockIoEntry& entry);
void describe(json::Fields& f, BlockIoStats& stats);
void describe(json::Fields& f, Stats& stats);

/// Reads what is there now. NotFound: the cgroup is gone.
Result<Stats> read_stats(const sys::Cgroup& cgroup);

}  // namespace skiff::runtime
