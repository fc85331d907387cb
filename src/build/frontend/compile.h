#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "build/frontend/parser.h"
#include "build/graph.h"

namespace skiff::build {

/// An image that a stage can start from.
struct BaseImage {
  std::string id;
  std::string snapshot;
  spec::oci::Image image;
};

/// Where FROM and COPY --from=IMAGE look. Errors are shown as they are.
class BaseImages {
 public:
  virtual ~BaseImages() = default;
  /// `platform` is what FROM --platform says, or "".
  virtual Result<BaseImage> resolve(const std::string& name, const std::string& platform) = 0;
};

struct CompileOptions {
  std::map<std::string, std::optional<std::string>> build_arguments;
  std::map<std::string, std::string> labels;
  std::string target;
  std::string network;
  std::vector<std::string> extra_hosts;
  Limits limits;
};

/// Makes a Dockerfile's graph: variables resolved, stages joined, configuration changes applied, one vertex
/// for every change of files. Nothing runs. A mistake inside an instruction becomes the failure of its step,
/// so that the steps before it are shown and run first, as the classic builder does; only a file without any
/// stage, or an unknown target, fails at once.
Result<Graph> compile(const Dockerfile& file, const CompileOptions& options, BaseImages& images);

}  // namespace skiff::build
