#include "build/changes.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "build/frontend/scanner.h"
#include "build/frontend/stage.h"

namespace skiff::build {

namespace {

constexpr std::array<std::string_view, 11> kAllowed = {"cmd",         "entrypoint", "env",     "expose",
                                                       "healthcheck", "label",      "onbuild", "stopsignal",
                                                       "user",        "volume",     "workdir"};

/// Instructions that are no FROM name no image.
class NoImages final : public BaseImages {
 public:
  Result<BaseImage> resolve(const std::string& name, const std::string&) override {
    return fail(Kind::Internal, "a change asks for the image {}", name);
  }
};

}  // namespace

Result<spec::oci::ImageConfig> apply_changes(spec::oci::ImageConfig config,
                                             const std::vector<std::string>& changes) {
  const Scan scanned = TRY(scan(join(changes, "\n")));
  if (!changes.empty() && scanned.lines.empty())
    return Error(Kind::InvalidArgument, "file with no instructions");
  for (const Line& line : scanned.lines) {
    const std::string word(line.text.substr(0, line.text.find_first_of(" \t")));
    if (std::find(kAllowed.begin(), kAllowed.end(), to_lower(word)) == kAllowed.end())
      return fail(Kind::InvalidArgument, "{} is not a valid change command", word);
  }
  Dockerfile file;
  file.escape = scanned.escape;
  Graph graph;
  graph.vertices.push_back({SourceOperation{}, {}});
  Stage& stage = graph.stages.emplace_back();
  stage.root = stage.result = 0;
  stage.image.config = std::move(config);
  CompileOptions options;
  const BuildArguments::Given nothing;
  BuildArguments arguments(nothing);
  NoImages images;
  StageCompiler compiler(file, options, arguments, images, graph);
  for (const Line& line : scanned.lines) {
    Step step;
    TRY(compiler.apply(TRY(parse_instruction(line, scanned.escape)), step));
  }
  return std::move(graph.stages.back().image.config);
}

}  // namespace skiff::build
