#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "runner/runner.h"
#include "spec/engine_config.h"

/// Which runtime a container's name for it means. "skiff" is the runtime library, and so is "runc", which
/// Docker's users say for the one that is built in, unless a program is registered under that name.
namespace skiff::engine {

/// Whether `name` is a registered program.
bool is_external_runtime(const spec::EngineConfig& config, const std::string& name);

/// The program to drive; nothing for the library. InvalidArgument for a name that means neither.
Result<std::optional<runner::ExternalRuntime>> find_runtime(const spec::EngineConfig& config,
                                                            const std::string& name);

}  // namespace skiff::engine
