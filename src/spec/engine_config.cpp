#include "spec/engine_config.h"

namespace skiff::spec {
namespace {

constexpr std::string_view kSlice = ".slice";
/// Of the scopes' names: "skiff-<id>.scope".
constexpr std::string_view kScopePrefix = "skiff";

}  // namespace

Result<void> check_cgroup_parent(const EngineConfig& config, std::string_view parent) {
  if (!config.systemd_cgroups || parent.empty()) return {};
  if (parent.size() > kSlice.size() && parent.ends_with(kSlice)) return {};
  return Error(Kind::InvalidArgument,
               "cgroup-parent for systemd cgroup should be a valid slice named as \"xxx.slice\"");
}

std::string cgroups_path(const EngineConfig& config, std::string_view parent, std::string_view id) {
  if (parent.empty()) parent = config.cgroup_parent;
  if (config.systemd_cgroups) return fmt::format("{}:{}:{}", parent, kScopePrefix, id);
  return fmt::format("{}/{}", parent, id);
}

}  // namespace skiff::spec
