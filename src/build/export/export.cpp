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

Result<std::vector<image::Layer>> Exporter::base_layers(const std::string& id) {
  std::vector<image::Layer> layers;
  if (id.empty()) return layers;
  const image::Image base = TRY(images_.resolve(id));
  const auto& diff_ids = base.config.rootfs.diff_ids;
  std::string snapshot = base.snapshot;
  for (auto diff_id = diff_ids.rbegin(); diff_id != diff_ids.rend(); ++diff_id) {
    const snapshot::Info info = TRY(images_.snapshots().info(snapshot));
    layers.push_back({*diff_id, snapshot, info.bytes});
    snapshot = info.parent;
  }
  std::reverse(layers.begin(), layers.end());
  return layers;
}

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
  std::vector<image::Layer> layers = TRY(base_layers(self.base_image));
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
    layers.push_back({facts.diff_id, outcome.snapshot, facts.bytes});
  }
  return TRY(images_.create(image, layers, self.base_image)).id.to_string();
}

}  // namespace skiff::build
