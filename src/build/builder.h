#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "build/export/export.h"
#include "build/graph.h"
#include "build/ops/ops.h"
#include "build/service.h"
#include "build/solver/solver.h"

namespace skiff::build {

/// One build: shows the steps in the Dockerfile's order while the solver works on them in its own, and
/// exports the target.
class Builder {
 public:
  Builder(Graph graph, Workshop& workshop, Solver& solver, image::Store& images, const Request& request,
          Progress& progress)
      : graph_(std::move(graph)),
        workshop_(workshop),
        solver_(solver),
        exporter_(images, workshop.digester),
        request_(request),
        progress_(progress) {}

  /// The image's id. It is held as long as this object lives.
  Result<std::string> run(const std::atomic<bool>& cancelled);

 private:
  void say(std::string_view text) {
    if (request_.quiet)
      progress_.withhold(text);
    else
      progress_.stream(text);
  }
  void start(const std::atomic<bool>& cancelled);
  Result<void> show_steps();
  Result<void> show_step(std::size_t index);
  void show_base(const Step& step);
  Result<void> show_vertex(std::size_t index);
  Result<void> show_change(std::size_t index);
  Result<void> finish_step(std::size_t index, const std::string& vertex_key);

  Graph graph_;
  Workshop& workshop_;
  Solver& solver_;
  Exporter exporter_;
  const Request& request_;
  Progress& progress_;

  std::unique_ptr<Solution> solution_;
  std::vector<std::string> containers_;  ///< ids, one for each vertex
  std::vector<StepOutcome> outcomes_;
  std::vector<std::string> stage_keys_;  ///< the last step key of each stage so far
  std::vector<std::pair<std::string, Time>> new_steps_;
  std::size_t stage_ = 0;  ///< one past the stage being shown
  std::size_t shown_ = 0;
  std::string image_;
};

}  // namespace skiff::build
