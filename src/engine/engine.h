#pragma once

#include <memory>

#include "base/result.h"
#include "build/service.h"
#include "engine/archives.h"
#include "engine/attach.h"
#include "engine/builds.h"
#include "engine/commits.h"
#include "engine/containers.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/files.h"
#include "engine/fsck.h"
#include "engine/image_budget.h"
#include "engine/images.h"
#include "engine/lifecycle.h"
#include "engine/logs.h"
#include "engine/networks.h"
#include "engine/registries.h"
#include "engine/remote_manifests.h"
#include "engine/stats.h"
#include "engine/system.h"
#include "engine/volumes.h"
#include "spec/engine_config.h"

namespace skiff::engine {

/// The services side by side; each handler takes the one it needs. This is wiring only: opening the stores in
/// order, leading the runner's events to the right service, and closing in reverse order.
struct Engine {
  /// Opens everything below the data root and recovers what a former daemon left. `config` outlives the
  /// engine.
  static Result<std::unique_ptr<Engine>> open(const spec::EngineConfig& config);
  ~Engine();
  /// Nobody waits any more for layers that come from a registry behind the scenes. To be said before the
  /// server stops, which waits for its requests.
  void stop_fetching();

  Containers& containers;
  Lifecycle& lifecycle;
  Execs& execs;
  Logs& logs;
  Attach& attach;
  Files& files;
  Stats& stats;
  Events& events;
  Images& images;
  Archives& archives;
  Commits& commits;
  Networks& networks;
  Volumes& volumes;
  System& system;
  Registries& registries;
  Fsck& fsck;
  Builds& builds;
  image::Store& image_store;  ///< for bootstrap
  RemoteManifests& manifests;
  image::Trust& trust;  ///< to be read anew
  ImageBudget& budget;

  struct Wiring;
  explicit Engine(std::unique_ptr<Wiring> wiring);

 private:
  std::unique_ptr<Wiring> wiring_;
};

}  // namespace skiff::engine
