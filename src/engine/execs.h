#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/thread.h"
#include "engine/parts.h"
#include "runner/runner.h"
#include "spec/docker/exec.h"

namespace skiff::engine {

/// Programs started in running containers. Thread-safe. NotFound: "No such exec instance: x".
class Execs {
 public:
  struct Exec;

  Execs(Parts& parts, ContainerSet& set, Events& events) : parts_(parts), set_(set), events_(events) {}

  /// The exec's id. Conflict when the container does not run, or is paused.
  Result<std::string> create(std::string_view container, const spec::docker::ExecCreate& request);
  /// The exec may be started: it exists, is new, and its container runs. Answers whether it has a terminal.
  Result<bool> prepare(const std::string& id);
  /// Starts it; `client` (invalid when detached) is given to the monitor. A program that cannot run is told
  /// to the client on its stream, as Docker does, and returned.
  Result<void> start(const std::string& id, const spec::docker::ExecStart& request, sys::Fd client,
                     std::string early_input);
  Result<spec::docker::ExecInspect> inspect(const std::string& id);
  Result<void> resize(const std::string& id, int columns, int rows);

  struct RunResult {
    int code = 0;
    std::string output;  ///< both streams, at most 4096 bytes
    bool timed_out = false;
  };
  /// Runs a program to its end (health checks).
  Result<RunResult> run(const std::shared_ptr<Container>& container,
                        const std::vector<std::string>& arguments, std::chrono::nanoseconds timeout,
                        std::stop_token stop);

  /// The runner told of its end; on the runner's thread, so nothing here may take time.
  void exited(const std::string& container, const std::string& id, const runner::Exit& exit);
  /// All execs of a container end with it.
  void container_ended(const std::string& container);
  std::vector<std::string> ids_of(const std::string& container);

 private:
  Result<std::shared_ptr<Exec>> find(const std::string& id);
  Result<spec::oci::Process> make_process(Container& container, const spec::docker::ExecCreate& request);
  void forget_later(const std::string& id);

  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
  Mutex mutex_;
  std::map<std::string, std::shared_ptr<Exec>> execs_ GUARDED_BY(mutex_);
};

}  // namespace skiff::engine
