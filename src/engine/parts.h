#pragma once

#include <string>

#include "image/store.h"
#include "image/trust/trust.h"
#include "meta/database.h"
#include "network/service.h"
#include "runner/runner.h"
#include "spec/engine_config.h"
#include "volume/service.h"

namespace skiff::build {
class Service;
}

namespace skiff::engine {

class Container;
class ContainerSet;
class Events;
class ImageBudget;
class Workers;

/// What every service of the engine stands on. Owned by Engine; tests fill it with fakes (engine/testing).
struct Parts {
  const spec::EngineConfig& config;
  meta::Database& database;
  image::Store& images;
  image::Trust& trust;
  network::Service& networks;
  volume::Service& volumes;
  runner::Runner* runner = nullptr;  ///< set once the runner is open: its listener needs the services
  build::Service* builds = nullptr;
  Workers& workers;
  ImageBudget* budget = nullptr;  ///< tests of other services do without
};

/// <data-root>/containers/<id>: the container's own files (hosts, logs, exit record).
std::string container_directory(const spec::EngineConfig& config, const std::string& id);
/// <data-root>/tmp: what is half-made; emptied at every start of the engine.
std::string temporary_directory(const spec::EngineConfig& config);

}  // namespace skiff::engine
