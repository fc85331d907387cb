#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "engine/filters.h"
#include "engine/parts.h"
#include "spec/docker/container.h"
#include "spec/docker/network.h"

namespace skiff::engine {

/// Networks joined with the containers on them. Thread-safe.
class Networks {
 public:
  Networks(Parts& parts, ContainerSet& set, Events& events) : parts_(parts), set_(set), events_(events) {}

  Result<std::vector<spec::docker::NetworkInspect>> list(const Filters& filters);
  Result<spec::docker::NetworkInspect> inspect(std::string_view name);
  Result<spec::docker::NetworkCreated> create(const spec::docker::NetworkCreate& request);
  Result<void> remove(std::string_view name);
  Result<void> connect(std::string_view name, std::string_view container,
                       const spec::docker::EndpointSettings& settings);
  Result<void> disconnect(std::string_view name, std::string_view container, bool force);
  Result<spec::docker::NetworkPruneReport> prune(const Filters& filters);

 private:
  Parts& parts_;
  ContainerSet& set_;
  Events& events_;
};

}  // namespace skiff::engine
