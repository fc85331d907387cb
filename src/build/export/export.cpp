#include "build/export/export.h"

#include <algorithm>

namespace skiff::build {
namespace {

/// The steps that made a stage, those of the stages it starts from first.
std::vector<std::size_t> steps_of(const Graph& graph, std::size_t stage) {
  std::vector<std::size_t> steps;
  const Stage& self = graph.stages[stage];
  if (self.base_stage) steps = steps_of(graph, *self.base_stage);
  for (std::size_t i = self.first_step; i <= self.last_step && i < graph.steps.size(); ++i)
    if (!graph.steps[i].from && !graph.steps[i].silent) steps.push_back(i);
  return steps;
}

std::string created_by(const Step& step, const StepOutcome& outcome) {
  std::string text = step.created_by;
  if (outcome.detail.empty()) return text;
  if (const auto place = text.find("{}"); place != std::string::npos) text.replace(place, 2, outcome.detail);
  return text;
}

}  // namespace

Result<std::string> Exporter::run(const Graph& graph, std::size_t stage,
                                  const std::vector<StepOutcome>& outcomes) {
  const Stage& self = graph.stages[stage];
  const std::vector<std::size_t> steps = steps_of(graph, stage);
  if (steps.empty()) {
    if (self.base_image.empty())
      return Error(Kind::InvalidArgument, "No image was generated. Is your Dockerfile empty?");
    return self.base_image;
  }
  spec::oci::Image image = self.image;
  std::vector<image::Layer> layers;
  if (!self.base_image.empty()) layers = TRY(images_.resolve(self.base_image)).layers;
  for (const std::size_t i : steps) {
    const StepOutcome& outcome = outcomes[i];
    spec::oci::History history;
    history.created = outcome.created;
    history.created_by = created_by(graph.steps[i], outcome);
    history.author = graph.steps[i].author;
    history.empty_layer = outcome.empty_layer;
    image.history.push_back(std::move(history));
    image.created = std::max(image.created.value_or(Time{}), outcome.created);
    if (outcome.empty_layer) continue;
    const LayerFacts facts = TRY(digester_.await(outcome.snapshot));
    image.rootfs.diff_ids.push_back(facts.diff_id);
    layers.push_back({facts.diff_id, outcome.snapshot, facts.bytes, facts.tar_bytes});
  }
  hold_ = images_.hold(image::id_of(image));
  return TRY(images_.create(image, layers, self.base_image)).id.to_string();
}

}  // namespace skiff::build
