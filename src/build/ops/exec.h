#pragma once

#include <memory>
#include <string>
#include <vector>

#include "build/graph.h"
#include "build/ops/exits.h"
#include "build/solver/op.h"
#include "network/service.h"
#include "runner/runner.h"
#include "spec/engine_config.h"
#include "spec/mount.h"
#include "spec/users.h"

namespace skiff::build {

/// Runs the command of a RUN step as a container: Docker's defaults, the step's writable snapshot as root,
/// standard output and error to a sink.
class Executor {
 public:
  Executor(const spec::EngineConfig& config, runner::Runner& runner, network::Service& networks, Exits& exits)
      : config_(config), runner_(runner), networks_(networks), exits_(exits) {}

  /// Makes the layer of mount points that lies below every step's own, and removes what a daemon that died
  /// left behind.
  Result<void> open();

  /// The command's exit code. `id` names the container; `rootfs` shows the snapshot. NotFound or Forbidden
  /// when the command cannot be executed; Cancelled.
  Result<int> run(const std::string& id, const ExecOperation& operation,
                  const std::vector<spec::Mount>& rootfs, Sink& sink, const Cancellation& cancellation);

 private:
  struct Running;

  std::string state_root() const { return config_.data_root + "/build/state"; }
  std::string mount_points() const { return config_.data_root + "/build/mountpoints"; }
  std::vector<spec::Mount> with_mount_points(std::vector<spec::Mount> rootfs) const;
  Result<std::vector<network::Endpoint>> allocate(const std::string& id, const ExecOperation& operation);
  Result<void> write_files(const std::string& id, const ExecOperation& operation,
                           const std::vector<network::Endpoint>& endpoints, const std::string& directory);
  spec::oci::Runtime container_config(const std::string& id, const ExecOperation& operation,
                                      const spec::UserIdentity& user, const std::string& directory) const;
  Result<int> wait(runner::Task& task, ExitSlot& exit, const sys::Fd& output, Sink& sink,
                   const Cancellation& cancellation);

  const spec::EngineConfig& config_;
  runner::Runner& runner_;
  network::Service& networks_;
  Exits& exits_;
};

}  // namespace skiff::build
