#include "engine/runtime_features.h"

#include "base/ids.h"
#include "base/json.h"
#include "base/log.h"
#include "base/undo.h"
#include "engine/parts.h"
#include "engine/runtimes.h"
#include "monitor/external_program.h"
#include "runtime/features.h"
#include "sys/file.h"

namespace skiff::engine {
namespace {

Result<std::string> features_of(const spec::EngineConfig& config, const std::string& name) {
  const auto runtime = TRY(find_runtime(config, name));
  if (!runtime) return json::to_text(runtime::features());
  // Whatever it writes on the way has a place of its own, and goes.
  const std::string directory = fmt::format("{}/runtime-{}", temporary_directory(config), random_hex(16));
  TRY(sys::make_directories(directory, 0700));
  UndoStack undo;
  undo.add([&] { (void)sys::remove_tree(directory); });
  const monitor::ExternalProgram program(*runtime, "", directory);
  const auto value = TRY(json::parse(TRY(program.run("", {.words = {"features"}}))));
  if (!value.is_object()) return Error(Kind::InvalidArgument, "what it prints is no JSON object");
  return json::to_text(value);
}

}  // namespace

std::string RuntimeFeatures::of(const std::string& name) {
  {
    const MutexLock lock(mutex_);
    if (const auto found = known_.find(name); found != known_.end()) return found->second;
  }
  std::string answer = ask(name);
  const MutexLock lock(mutex_);
  return known_.insert_or_assign(name, std::move(answer)).first->second;
}

/// Runtimes older than the specification's 1.1 do not know the question: that is no fault.
std::string RuntimeFeatures::ask(const std::string& name) const {
  auto features = features_of(config_, name);
  if (features) return *std::move(features);
  log::debug("runtime {}: features: {}", name, features.error().message());
  return {};
}

}  // namespace skiff::engine
