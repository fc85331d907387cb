#include "engine/runtimes.h"

namespace skiff::engine {

bool is_external_runtime(const spec::EngineConfig& config, const std::string& name) {
  return config.runtimes.contains(name);
}

Result<std::optional<runner::ExternalRuntime>> find_runtime(const spec::EngineConfig& config,
                                                            const std::string& name) {
  const auto found = config.runtimes.find(name);
  if (found != config.runtimes.end()) {
    runner::ExternalRuntime runtime{.name = name,
                                    .path = found->second.path,
                                    .arguments = found->second.arguments,
                                    .init = config.monitor_program};
    if (config.systemd_cgroups) runtime.arguments.emplace_back("--systemd-cgroup");
    return std::optional(std::move(runtime));
  }
  if (name.empty() || name == spec::kOwnRuntime || name == "runc")
    return std::optional<runner::ExternalRuntime>();
  return fail(Kind::InvalidArgument, "unknown or invalid runtime name: {}", name);
}

}  // namespace skiff::engine
