#pragma once

#include <optional>
#include <string>
#include <vector>

#include "build/frontend/arguments.h"
#include "build/frontend/compile.h"
#include "build/frontend/expand.h"
#include "build/frontend/parser.h"
#include "build/graph.h"

namespace skiff::build {

/// Applies the instructions of one stage to a graph: each changes the stage's configuration or adds a vertex.
class StageCompiler {
 public:
  StageCompiler(const Dockerfile& file, const CompileOptions& options, BuildArguments& arguments,
                BaseImages& images, Graph& graph)
      : file_(file), options_(options), arguments_(arguments), images_(images), graph_(graph) {}

  /// The stage must stand last in the graph. The error is for the step at hand.
  Result<void> apply(const Instruction& instruction, Step& step);

 private:
  Stage& stage() { return graph_.stages.back(); }
  spec::oci::ImageConfig& config() { return stage().image.config; }

  std::optional<std::string> look_up(std::string_view name);
  Result<std::string> expand_one(std::string_view word);
  std::vector<std::string> shell();
  std::vector<std::string> command_line(const Instruction& in);
  std::string nop(std::string_view change);
  void add_vertex(Step& step, Operation operation, std::optional<std::size_t> second = {});

  Result<void> env(const Instruction& in, Step& step);
  Result<void> label(const Instruction& in, Step& step);
  Result<void> arg(const Instruction& in, Step& step);
  Result<void> run(const Instruction& in, Step& step);
  Result<std::vector<std::string>> run_command(const Instruction& in);
  Result<void> copy(const Instruction& in, Step& step);
  Result<void> check_copy_flags(const Instruction& in);
  Result<void> copy_sources(const Instruction& in, CopyOperation& op);
  Result<std::size_t> copy_from(const std::string& name);
  Result<void> workdir(const Instruction& in, Step& step);
  Result<void> expose(const Instruction& in, Step& step);
  Result<void> volume(const Instruction& in, Step& step);
  Result<void> entry(const Instruction& in, Step& step);
  Result<void> health(const Instruction& in, Step& step);
  Result<void> simple(const Instruction& in, Step& step);

  const Dockerfile& file_;
  const CompileOptions& options_;
  BuildArguments& arguments_;
  BaseImages& images_;
  Graph& graph_;
  bool cmd_set_ = false;
};

}  // namespace skiff::build
