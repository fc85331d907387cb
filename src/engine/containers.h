#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/undo.h"
#include "engine/container.h"
#include "engine/filters.h"
#include "engine/parts.h"
#include "spec/docker/container.h"

namespace skiff::engine {

class Lifecycle;

struct ListOptions {
  bool all = false;
  int limit = 0;  ///< > 0: the newest so many, whatever their state
  bool size = false;
  Filters filters;
};

struct RemoveOptions {
  bool force = false;
  bool volumes = false;  ///< anonymous volumes go too
};

/// Containers as definitions: made, shown, changed and removed. What runs is Lifecycle's.
/// Names are names, ids or unique id prefixes. NotFound: "No such container: x". Thread-safe.
class Containers {
 public:
  Containers(Parts& parts, ContainerSet& set, Events& events, Lifecycle& lifecycle)
      : parts_(parts), set_(set), events_(events), lifecycle_(lifecycle) {}

  /// Checks the whole request, then makes the container in one transaction; a failure leaves nothing.
  Result<spec::docker::ContainerCreated> create(const std::string& name, const std::string& platform,
                                                spec::docker::ContainerCreate request);
  Result<std::vector<spec::docker::ContainerSummary>> list(const ListOptions& options);
  Result<spec::docker::ContainerInspect> inspect(std::string_view name, bool size);
  Result<void> rename(std::string_view name, const std::string& new_name);
  Result<void> remove(std::string_view name, const RemoveOptions& options);
  /// Warnings come back.
  Result<std::vector<std::string>> update(std::string_view name,
                                          const spec::docker::ContainerUpdate& request);
  Result<spec::docker::TopResponse> top(std::string_view name, const std::string& ps_arguments);
  Result<spec::docker::ContainerPruneReport> prune(const Filters& filters);

 private:
  Result<Definition> settle(const std::string& name, const std::string& platform,
                            spec::docker::ContainerCreate& request, image::Image& image);
  Result<void> settle_mounts(Definition& definition);
  Result<void> make_volumes(Definition& definition, UndoStack& undo);
  Result<bool> matches(Container& container, const Definition& definition, const RunState& run,
                       const Filters& filters);

  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
  Lifecycle& lifecycle_;
};

}  // namespace skiff::engine
