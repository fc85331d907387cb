#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.h"
#include "build/solver/log.h"
#include "build/solver/op.h"

namespace skiff::build {

/// A vertex for the solver: the work and which earlier nodes it starts from.
struct Node {
  std::unique_ptr<Op> op;
  std::vector<std::size_t> inputs;
};

struct SolveOptions {
  bool no_cache = false;  ///< run everything; neither the cache nor another build's work is used
  unsigned width = 0;     ///< pieces of work at once; 0: as many as the machine has processors, at least two
};

/// One build being solved. Work starts at once, in the background; results are awaited in any order. Dropping
/// it cancels what still runs and waits for that to end.
class Solution {
 public:
  enum class Phase : std::uint8_t { Waiting, Running, Cached, Finished };

  virtual ~Solution() = default;
  /// Waits until it is clear whether `node` runs or was cached (or failed before either: Finished).
  virtual Phase wait_started(std::size_t node) = 0;
  /// The identity of a node that has started.
  virtual std::string key(std::size_t node) = 0;
  /// Hands over what the node prints, as it prints it, and its end. The error of a node whose inputs failed
  /// is theirs; Cancelled when the caller asked for that.
  virtual Result<Outcome> follow(std::size_t node,
                                 const std::function<void(Stream, std::string_view)>& print) = 0;
};

/// Runs pieces of work after those they start from, as wide as the machine allows, and equal work of
/// concurrent builds once. It knows nothing about files or containers. Thread-safe.
class Solver {
 public:
  Solver();
  ~Solver();
  /// `cancelled` must outlive the solution. Inputs refer to earlier nodes.
  std::unique_ptr<Solution> start(std::vector<Node> nodes, SolveOptions options,
                                  const std::atomic<bool>& cancelled);

  struct Flights;

 private:
  std::shared_ptr<Flights> flights_;
};

}  // namespace skiff::build
