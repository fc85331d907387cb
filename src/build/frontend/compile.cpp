#include "build/frontend/compile.h"

#include <algorithm>
#include <memory>

#include "base/strings.h"
#include "build/frontend/stage.h"
#include "build/frontend/values.h"
#include "spec/defaults.h"

namespace skiff::build {
namespace {

class Compiler {
 public:
  Compiler(const Dockerfile& file, const CompileOptions& options, BaseImages& images)
      : file_(file), options_(options), arguments_(options.build_arguments), images_(images) {}

  Result<Graph> run() {
    const std::size_t end = TRY(find_end());
    graph_.warnings = file_.warnings;
    for (std::size_t i = 0; i < end && !failed_; ++i) add_instruction(file_.instructions[i]);
    add_labels();
    graph_.total = end + options_.labels.size();
    graph_.unused_arguments = arguments_.unused();
    return std::move(graph_);
  }

 private:
  /// One past the last instruction of the target stage.
  Result<std::size_t> find_end() const {
    const auto& all = file_.instructions;
    std::vector<std::size_t> starts;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].keyword == Keyword::From)
        starts.push_back(i);
      else if (starts.empty() && all[i].keyword != Keyword::Arg)
        return Error(Kind::InvalidArgument,
                     file_.with_source(all[i].line, "no build stage in current context"));
    }
    if (starts.empty()) return Error(Kind::InvalidArgument, "no build stage in current context");
    starts.push_back(all.size());
    if (options_.target.empty()) return all.size();
    for (std::size_t i = 0; i + 1 < starts.size(); ++i)
      if (const auto& words = all[starts[i]].arguments;
          words.size() > 1 && equals_ignore_case(words[1], options_.target))
        return starts[i + 1];
    return fail(Kind::InvalidArgument, "target stage {} could not be found", quote(options_.target));
  }

  void add_instruction(const Instruction& in) {
    Step step;
    step.text = in.text;
    step.line = in.line;
    Result<void> result;
    if (in.keyword == Keyword::From) {
      result = start_stage(in, step);
    } else if (graph_.stages.empty()) {
      step.silent = true;
      result = global_argument(in);
    } else {
      result = stage_->apply(in, step);
    }
    finish(std::move(step), result);
    if (in.keyword == Keyword::From && !failed_) run_triggers(in.line);
  }

  void finish(Step step, const Result<void>& result) {
    if (!graph_.stages.empty()) step.author = graph_.stages.back().image.author;
    if (!result.ok()) {
      const Error& error = result.error();
      step.failure = Error(error.kind(), file_.with_source(step.line, error.message()), error.code());
      failed_ = true;
    }
    graph_.steps.push_back(std::move(step));
    if (!graph_.stages.empty()) graph_.stages.back().last_step = graph_.steps.size() - 1;
  }

  Result<void> global_argument(const Instruction& in) {
    for (const ArgumentDefault& definition : in.definitions) {
      std::optional<std::string> value;
      if (definition.value) value = TRY(expand_global(*definition.value));
      arguments_.declare_global(definition.name, value);
    }
    return {};
  }

  Result<std::string> expand_global(std::string_view word) {
    return expand(word, file_.escape, [this](std::string_view name) { return arguments_.global(name); });
  }

  Result<void> start_stage(const Instruction& in, Step& step) {
    step.from = true;
    graph_.stages.emplace_back();
    Stage& stage = graph_.stages.back();
    stage.first_step = graph_.steps.size();
    arguments_.start_stage();
    stage_ = std::make_unique<StageCompiler>(file_, options_, arguments_, images_, graph_);
    std::string platform;
    if (const auto flag = in.flags.find("platform"); flag != in.flags.end()) {
      platform = TRY(expand_global(flag->second));
      if (!platform.empty())
        TRY_CONTEXT(spec::Platform::parse(platform), "failed to parse platform {}", platform);
    }
    const std::string name = TRY(expand_global(in.arguments[0]));
    if (name.empty())
      return fail(Kind::InvalidArgument, "base name ({}) should not be blank", in.arguments[0]);
    stage.base_name = name;
    TRY(find_base(stage, name, platform));
    if (in.arguments.size() > 1) {
      for (const Stage& earlier : graph_.stages)
        if (equals_ignore_case(earlier.name, in.arguments[1]))
          return fail(Kind::InvalidArgument, "{} stage name already used", to_lower(in.arguments[1]));
      stage.name = in.arguments[1];
    }
    if (!find_variable(stage.image.config.env, "PATH"))
      stage.image.config.env.emplace_back(spec::kDefaultPath);
    triggers_ = std::exchange(stage.image.config.on_build, {});
    if (!triggers_.empty())
      step.remarks.push_back(
          fmt::format("# Executing {} build trigger{}", triggers_.size(), triggers_.size() > 1 ? "s" : ""));
    return {};
  }

  Result<void> find_base(Stage& stage, const std::string& name, const std::string& platform) {
    for (std::size_t i = 0; i + 1 < graph_.stages.size(); ++i) {
      const Stage& earlier = graph_.stages[i];
      if (earlier.name.empty() || !equals_ignore_case(earlier.name, name)) continue;
      stage.base_stage = i;
      stage.image = earlier.image;
      stage.base_image = earlier.base_image;
      stage.root = stage.result = earlier.result;
      return {};
    }
    BaseImage base;
    if (name == "scratch") {
      base.image.platform = spec::Platform::host();
    } else {
      base = TRY(images_.resolve(name, platform));
    }
    stage.base_image = base.id;
    stage.image = std::move(base.image);
    graph_.vertices.push_back({SourceOperation{base.id, base.snapshot}, {}});
    stage.root = stage.result = graph_.vertices.size() - 1;
    return {};
  }

  void run_triggers(int line) {
    for (const std::string& trigger : std::exchange(triggers_, {})) {
      if (failed_) return;
      Step step;
      step.line = line;
      step.trigger = true;
      const Result<void> result = run_trigger(trigger, step, line);
      finish(std::move(step), result);
    }
  }

  Result<void> run_trigger(const std::string& trigger, Step& step, int line) {
    Line text;
    text.text = trigger;
    text.first = line;
    const Instruction in = TRY(parse_instruction(text, file_.escape));
    return stage_->apply(in, step);
  }

  /// Labels of the request: a step each, as if they stood at the file's end.
  void add_labels() {
    if (failed_) return;
    Stage& stage = graph_.stages.back();
    std::vector<std::string> shell = stage.image.config.shell;
    if (shell.empty()) shell = {"/bin/sh", "-c"};
    for (const auto& [name, value] : options_.labels) {
      stage.image.config.labels[name] = value;
      Step step;
      step.text = fmt::format("LABEL {}={}", name, value);
      step.created_by = fmt::format("{} #(nop)  {}", join(shell, " "), step.text);
      finish(std::move(step), {});
    }
  }

  const Dockerfile& file_;
  const CompileOptions& options_;
  BuildArguments arguments_;
  BaseImages& images_;
  Graph graph_;
  std::unique_ptr<StageCompiler> stage_;
  std::vector<std::string> triggers_;
  bool failed_ = false;
};

}  // namespace

Result<Graph> compile(const Dockerfile& file, const CompileOptions& options, BaseImages& images) {
  return Compiler(file, options, images).run();
}

}  // namespace skiff::build
