#include "build/builder.h"

#include "base/ids.h"
#include "base/strings.h"

namespace skiff::build {
namespace {

constexpr std::string_view kRed = "\x1b[91m";
constexpr std::string_view kPlain = "\x1b[0m";

std::string short_of(std::string_view id) {
  if (id.starts_with("sha256:")) id.remove_prefix(7);
  return std::string(id.substr(0, 12));
}

}  // namespace

void Builder::start(const std::atomic<bool>& cancelled) {
  std::vector<Node> nodes;
  for (const Vertex& vertex : graph_.vertices) {
    containers_.push_back(random_id());
    nodes.push_back(
        {std::make_unique<VertexOp>(workshop_, vertex.operation, containers_.back()), vertex.inputs});
  }
  solution_ = solver_.start(std::move(nodes), {.no_cache = request_.no_cache}, cancelled);
}

Result<std::string> Builder::run(const std::atomic<bool>& cancelled) {
  outcomes_.resize(graph_.steps.size());
  start(cancelled);
  const auto shown = show_steps();
  const auto stored = workshop_.cache.store_steps(new_steps_);  // of a failed build too: its cache is kept
  TRY(shown);
  TRY(stored);
  return image_;
}

Result<void> Builder::show_steps() {
  for (const std::string& warning : graph_.warnings) say(fmt::format("{}{}\n{}", kRed, warning, kPlain));
  for (std::size_t i = 0; i < graph_.steps.size(); ++i) TRY(show_step(i));
  if (graph_.steps.back().from) {  // nothing but FROM
    image_ = TRY(exporter_.run(graph_, graph_.stages.size() - 1, outcomes_));
    progress_.image(image_);
  }
  if (!graph_.unused_arguments.empty())
    say(fmt::format("[Warning] One or more build-args [{}] were not consumed\n",
                    join(graph_.unused_arguments, " ")));
  return {};
}

Result<void> Builder::show_step(std::size_t index) {
  const Step& step = graph_.steps[index];
  if (!step.trigger) {
    say(fmt::format("Step {}/{} : {}", ++shown_, graph_.total, step.text));
    say("\n");
  }
  if (step.failure) return *step.failure;
  if (step.silent) return {};
  if (step.from) {
    show_base(step);
    return {};
  }
  for (const std::string& remark : step.remarks) say(remark + "\n");
  return step.vertex ? show_vertex(index) : show_change(index);
}

void Builder::show_base(const Step& step) {
  const Stage& stage = graph_.stages[stage_++];
  stage_keys_.push_back(stage.base_stage ? stage_keys_[*stage.base_stage] : stage.base_image);
  if (step.remarks.empty()) {
    say(fmt::format(" ---> {}\n", short_of(stage_keys_.back())));
    return;
  }
  for (const std::string& remark : step.remarks) {
    say(remark);
    say("\n");
  }
}

Result<void> Builder::show_vertex(std::size_t index) {
  const std::size_t vertex = *graph_.steps[index].vertex;
  const bool in_container = !std::holds_alternative<CopyOperation>(graph_.vertices[vertex].operation);
  const Solution::Phase phase = solution_->wait_started(vertex);
  const bool running = phase == Solution::Phase::Running && in_container;
  if (phase == Solution::Phase::Cached) say(" ---> Using cache\n");
  if (running) say(fmt::format(" ---> Running in {}\n", short_id(containers_[vertex])));
  const auto result = solution_->follow(vertex, [this](Stream stream, std::string_view text) {
    if (stream == Stream::Error)
      say(fmt::format("{}{}{}", kRed, text, kPlain));
    else
      say(text);
  });
  if (!result.ok() && result.error().kind() == Kind::InvalidArgument && result.error().code() != 0 &&
      std::holds_alternative<ExecOperation>(graph_.vertices[vertex].operation))
    progress_.failed_command(result.error().code());
  const Outcome outcome = TRY(result);
  if (running && request_.remove_intermediate)
    say(fmt::format(" ---> Removed intermediate container {}\n", short_id(containers_[vertex])));
  outcomes_[index] = {outcome.created, outcome.empty_layer, outcome.empty_layer ? "" : outcome.snapshot,
                      outcome.detail};
  return finish_step(index, solution_->key(vertex));
}

Result<void> Builder::show_change(std::size_t index) {
  const std::string key = step_key(stage_keys_.back(), graph_.steps[index], "");
  std::optional<Time> created;
  if (!request_.no_cache) created = TRY(workshop_.cache.step_times({key}))[0];
  if (created) {
    say(" ---> Using cache\n");
  } else {
    const std::string container = random_id();
    say(fmt::format(" ---> Running in {}\n", short_id(container)));
    if (request_.remove_intermediate)
      say(fmt::format(" ---> Removed intermediate container {}\n", short_id(container)));
    created = now();
    new_steps_.emplace_back(key, *created);
  }
  outcomes_[index].created = *created;
  return finish_step(index, "");
}

Result<void> Builder::finish_step(std::size_t index, const std::string& vertex_key) {
  stage_keys_.back() = step_key(stage_keys_.back(), graph_.steps[index], vertex_key);
  if (index + 1 < graph_.steps.size()) {
    if (graph_.steps[index + 1].trigger) return {};  // triggers are one step together
    say(fmt::format(" ---> {}\n", short_of(stage_keys_.back())));
    return {};
  }
  image_ = TRY(exporter_.run(graph_, graph_.stages.size() - 1, outcomes_));
  say(fmt::format(" ---> {}\n", short_of(image_)));
  progress_.image(image_);
  return {};
}

}  // namespace skiff::build
