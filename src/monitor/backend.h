#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/container.h"
#include "spec/oci_runtime.h"
#include "sys/fd.h"
#include "sys/spawn.h"

namespace skiff::monitor {

/// What makes and steers the one container of a monitor: the runtime library, or a fake in tests. Calls are
/// made in this order: create, start, then the others; a container that was not created knows none of them.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual Result<void> create(runtime::CreateOptions options) = 0;
  virtual const sys::Process& process() const = 0;
  /// The pty's master, when the process has a terminal.
  virtual sys::Fd take_console() = 0;
  /// Of the container, relative to each hierarchy's root.
  virtual std::string cgroup() const = 0;
  virtual Result<void> start() = 0;
  virtual Result<runtime::PendingExec> exec(const spec::oci::Process& process,
                                            const runtime::Streams& streams) = 0;
  virtual Result<void> pause(bool paused) = 0;
  virtual Result<void> update(const spec::oci::Resources& resources) = 0;
  virtual Result<std::string> stats() = 0;
  virtual Result<std::vector<pid_t>> processes() = 0;
  /// How many processes of the container the kernel has killed for want of memory.
  virtual std::uint64_t oom_kills() = 0;
  /// A descriptor that epoll reports (EPOLLPRI or EPOLLIN) when oom_kills() may have grown; invalid when
  /// there is none.
  virtual sys::Fd oom_watch() = 0;
  /// Ends whatever is left of the container, and removes its cgroup.
  virtual Result<void> remove() = 0;
};

std::unique_ptr<Backend> library_backend();

}  // namespace skiff::monitor
