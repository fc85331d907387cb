#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "monitor/loop.h"
#include "monitor/protocol.h"
#include "runtime/container.h"
#include "spec/oci_runtime.h"
#include "sys/fd.h"
#include "sys/spawn.h"

namespace skiff::monitor {

/// A program on its way into the container. Nobody waits for it: who wants to know watches ready(). Dropping
/// it ends what has not arrived.
class PendingProgram {
 public:
  virtual ~PendingProgram() = default;
  /// Readable when advance() has something to do.
  virtual const sys::Fd& ready() const = 0;
  /// True once the program has been executed. NotFound and Forbidden: it cannot be, with Docker's sentence.
  virtual Result<bool> advance() = 0;
  /// Its time is over: ready() becomes readable soon, and advance() fails.
  virtual void give_up() = 0;
  /// After advance() has said true: the process is the caller's child.
  virtual runtime::Executed take() = 0;
  virtual std::vector<std::string> warnings() const { return {}; }
};

/// What makes and steers the one container of a monitor: the runtime library, an external runtime, or a fake
/// in tests. Calls are made in this order: create, start, then the others; a container that was not created
/// knows none of them.
class Backend {
 public:
  virtual ~Backend() = default;

  /// Nothing is left of a container that could not be made.
  virtual Result<void> create(runtime::CreateOptions options) = 0;
  /// The container's first process, a child of this one.
  virtual const sys::Process& process() const = 0;
  /// The pty's master, when the process has a terminal.
  virtual sys::Fd take_console() = 0;
  virtual Result<void> start() = 0;
  /// To the first process. NotFound when it has ended.
  virtual Result<void> signal(int signal) = 0;
  /// `id` is the exec's, and no other's of this container.
  virtual Result<std::unique_ptr<PendingProgram>> exec(const std::string& id,
                                                       const spec::oci::Process& process,
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
/// Drives `runtime`; everything of it lies in `directory`.
std::unique_ptr<Backend> external_backend(Loop& loop, ExternalRuntime runtime, std::string directory);

/// The one that `request` asks for.
std::unique_ptr<Backend> make_backend(Loop& loop, const CreateRequest& request);
using BackendFactory = std::unique_ptr<Backend> (*)(Loop& loop, const CreateRequest& request);

}  // namespace skiff::monitor
