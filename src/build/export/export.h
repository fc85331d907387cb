#pragma once

#include <memory>
#include <string>
#include <vector>

#include "build/graph.h"
#include "build/ops/digester.h"
#include "build/solver/op.h"
#include "image/store.h"

namespace skiff::build {

/// How a step went, for the history.
struct StepOutcome {
  Time created{};
  bool empty_layer = true;
  std::string snapshot;  ///< of the layer it made, or ""
  std::string detail;    ///< what was copied
};

/// Writes a stage down as an image: the base's layers and history, then those of the steps. Waits for the
/// digests of new layers. Holds the image as long as it lives itself, so that it can be given its names.
class Exporter {
 public:
  Exporter(image::Store& images, Digester& digester) : images_(images), digester_(digester) {}

  /// The image's id. `outcomes` has one element for each of the graph's steps. A stage without any step is
  /// its base image; InvalidArgument when that is scratch.
  Result<std::string> run(const Graph& graph, std::size_t stage, const std::vector<StepOutcome>& outcomes);

 private:
  image::Store& images_;
  Digester& digester_;
  std::shared_ptr<const void> hold_;
};

}  // namespace skiff::build
