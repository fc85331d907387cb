#include "engine/volumes.h"

#include "engine/events.h"

namespace skiff::engine {

Result<spec::docker::VolumeList> Volumes::list(const Filters& filters) {
  TRY(filters.check({"dangling", "driver", "label", "name"}));
  const bool by_use = filters.has("dangling");
  const bool dangling = TRY(filters.boolean("dangling", false));
  spec::docker::VolumeList list;
  for (auto& volume : TRY(parts_.volumes.list())) {
    if (!filters.pattern("name", volume.name) || !filters.exact("driver", volume.driver) ||
        !filters.labels(volume.labels))
      continue;
    if (by_use && TRY(parts_.volumes.users(volume.name)).empty() != dangling) continue;
    list.volumes.push_back(std::move(volume));
  }
  return list;
}

Result<spec::docker::Volume> Volumes::create(const spec::docker::VolumeCreate& request) {
  const bool existed = !request.name.empty() && parts_.volumes.inspect(request.name).ok();
  auto volume = TRY(parts_.volumes.create(request));
  if (!existed) events_.publish("volume", "create", volume.name, {{"driver", volume.driver}});
  return volume;
}

Result<spec::docker::Volume> Volumes::inspect(const std::string& name) {
  return parts_.volumes.inspect(name);
}

Result<void> Volumes::remove(const std::string& name, bool force) {
  const bool existed = parts_.volumes.inspect(name).ok();
  TRY(parts_.volumes.remove(name, force));
  if (existed) events_.publish("volume", "destroy", name, {{"driver", "local"}});
  return {};
}

Result<spec::docker::VolumePruneReport> Volumes::prune(const Filters& filters) {
  TRY(filters.check({"all", "label", "label!"}));
  const bool all = TRY(filters.boolean("all", false));
  const auto pruned = TRY(parts_.volumes.prune(
      all, [&](const spec::docker::Volume& volume) { return filters.labels(volume.labels); }));
  for (const std::string& name : pruned.names)
    events_.publish("volume", "destroy", name, {{"driver", "local"}});
  events_.publish("volume", "prune", "", {{"reclaimed", std::to_string(pruned.bytes)}});
  return spec::docker::VolumePruneReport{pruned.names, pruned.bytes};
}

}  // namespace skiff::engine
