#pragma once

#include <memory>
#include <string>
#include <vector>

#include "build/graph.h"
#include "build/ops/cache.h"
#include "build/ops/digester.h"
#include "build/ops/download.h"
#include "build/ops/exec.h"
#include "build/ops/files.h"
#include "build/solver/op.h"
#include "snapshot/store.h"
#include "spec/layer_limits.h"

namespace skiff::build {

/// What the operations of one build work with. Outlives them.
struct Workshop {
  snapshot::Store& snapshots;
  Cache& cache;
  Digester& digester;
  Executor* executor;  ///< null where no command will run
  const sys::Fd& context;
  const IgnoreRules& ignore;
  const spec::LayerLimits& limits;  ///< of archives that are unpacked

  FileTree context_tree() const { return {context, &ignore, true}; }
};

/// One vertex of a graph as work: prepares a snapshot on top of the first input, changes it, commits it as a
/// layer, and has the layer's digest computed beside the following steps.
class VertexOp : public Op {
 public:
  VertexOp(Workshop& workshop, const Operation& operation, std::string container)
      : workshop_(workshop), operation_(operation), container_(std::move(container)) {}

  Result<std::string> key(const std::vector<std::string>& inputs) override;
  Result<std::optional<Outcome>> cached(const std::string& key) override;
  Result<Outcome> run(const std::string& key, const std::vector<Outcome>& inputs, Sink& sink,
                      const Cancellation& cancellation) override;

 private:
  /// A writable snapshot on its way to become a layer. Dropped without finish() it is removed.
  class Layer;

  Result<Outcome> execute(const ExecOperation& operation, Layer& layer, Sink& sink,
                          const Cancellation& cancellation);
  Result<Outcome> copy(const CopyOperation& operation, const std::vector<Outcome>& inputs, Layer& layer,
                       const Cancellation& cancellation);
  Result<Outcome> copy_from(const CopyOperation& operation, const FileTree& tree, Layer& layer,
                            const Cancellation& cancellation);
  Result<Outcome> make_directory(const DirectoryOperation& operation, Layer& layer);

  Workshop& workshop_;
  const Operation& operation_;
  std::string container_;  ///< id of the container that a command runs in
  std::vector<FoundSource> sources_;
  std::vector<Download> downloads_;
  std::string content_;  ///< digest of what is copied from the context
};

/// The prefix of all snapshots that builds make.
constexpr std::string_view kSnapshotPrefix = "build-";

}  // namespace skiff::build
