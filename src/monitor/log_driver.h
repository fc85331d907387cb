#pragma once

#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "monitor/log_format.h"

namespace skiff::monitor {

/// Where a container's output goes besides its clients. Nothing here waits: what cannot be written or sent
/// now is kept within bounds or lost, as docs/monitor.md says for each driver.
class LogDriver {
 public:
  virtual ~LogDriver() = default;

  /// Output of `stream` as it came, any bytes.
  virtual void append(Stream stream, std::string_view bytes, Time time) = 0;
  /// The stream is over: an unfinished line is recorded as it is.
  virtual void finish(Stream stream, Time time) = 0;
  /// Writes what was collected. The error is that of the first failure since the last good flush.
  virtual Result<void> flush() = 0;
  /// Gives the memory of idle buffers back.
  virtual void trim() = 0;
  /// No more output comes: ends what runs beside. Before the container's end is told, since its directory may
  /// be removed then.
  virtual void close() {}
  /// Whether the program should wait: there is no room for more of its output.
  virtual bool full() const { return false; }
  /// Whether something is still on its way, after close().
  virtual bool busy() const { return false; }
};

}  // namespace skiff::monitor
