#include "base/log.h"

#include <unistd.h>

#include <atomic>

#include "base/clock.h"
#include "base/strings.h"

namespace skiff::log {
namespace {

std::atomic<Level> lowest{Level::Info};

std::string_view name_of(Level level) {
  switch (level) {
    case Level::Debug:
      return "debug";
    case Level::Info:
      return "info";
    case Level::Warning:
      return "warning";
    case Level::Error:
      return "error";
  }
  return "error";
}

}  // namespace

void set_level(Level level) { lowest.store(level, std::memory_order_relaxed); }
bool enabled(Level level) { return level >= lowest.load(std::memory_order_relaxed); }

void write(Level level, std::string_view text) {
  const std::string line =
      fmt::format("time=\"{}\" level={} msg={}\n", format_rfc3339_fixed(now()), name_of(level), quote(text));
  // Standard error is the last resort: when it fails there is nobody left to tell.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace skiff::log
