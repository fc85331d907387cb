#include "engine/engine.h"

#include "base/log.h"
#include "content/store.h"
#include "engine/container.h"
#include "engine/health.h"
#include "engine/workers.h"
#include "image/lazy/lazy_layers.h"
#include "snapshot/store.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace skiff::engine {

/// Everything in the order it is opened; closed the other way round. The workers stand last: what they do may
/// need everything else.
struct Engine::Wiring {
  std::unique_ptr<meta::Database> database;
  std::unique_ptr<content::Store> content;
  std::unique_ptr<snapshot::Store> snapshots;
  std::unique_ptr<image::Store> images;
  std::unique_ptr<image::BlobLedger> blob_ledger;
  std::unique_ptr<image::LazyLayers> lazy_layers;
  std::unique_ptr<image::Trust> trust;
  std::unique_ptr<image::Puller> puller;
  std::unique_ptr<image::Pusher> pusher;
  std::unique_ptr<network::Service> networks;
  std::unique_ptr<volume::Service> volumes;
  std::unique_ptr<ContainerSet> set;
  Events events;
  std::unique_ptr<Parts> parts;
  std::unique_ptr<Execs> execs;
  std::unique_ptr<Health> health;
  std::unique_ptr<Lifecycle> lifecycle;
  std::unique_ptr<Containers> containers;
  std::unique_ptr<Logs> logs;
  std::unique_ptr<Attach> attach;
  std::unique_ptr<Files> files;
  std::unique_ptr<Stats> stats;
  std::unique_ptr<ImageBudget> budget;
  std::unique_ptr<Images> image_service;
  std::unique_ptr<Archives> archives;
  std::unique_ptr<Commits> commits;
  std::unique_ptr<Registries> registries;
  std::unique_ptr<Fsck> fsck;
  std::unique_ptr<RemoteManifests> manifests;
  std::unique_ptr<Networks> network_service;
  std::unique_ptr<Volumes> volume_service;
  std::unique_ptr<System> system;
  std::unique_ptr<runner::Runner> runner;
  std::unique_ptr<build::Service> builder;
  std::unique_ptr<Builds> builds;
  Mutex gate;
  bool closing GUARDED_BY(gate) = false;  ///< events that come now are found again by the next recovery
  std::unique_ptr<Workers> workers = std::make_unique<Workers>();

  Result<void> open_stores(const spec::EngineConfig& config);
  Result<void> open_services(const spec::EngineConfig& config);
  void dispatch(runner::Event event);
};

Result<void> Engine::Wiring::open_stores(const spec::EngineConfig& config) {
  TRY(sys::make_directories(config.data_root, 0710));
  TRY(sys::make_directories(config.data_root + "/containers", 0710));
  TRY(sys::make_directories(temporary_directory(config), 0700));
  TRY(sys::make_directories(config.exec_root, 0711));
  database = TRY(meta::Database::open(config.data_root + "/meta.db"));
  content = TRY(content::Store::open(config.data_root + "/content"));
  snapshots = TRY(snapshot::Store::open(config.data_root + "/snapshots", *database));
  images = TRY(image::Store::open(*content, *snapshots, *database, config.layer_limits));
  blob_ledger = std::make_unique<image::BlobLedger>(*database);
  lazy_layers = std::make_unique<image::LazyLayers>(*images, *blob_ledger, config.registries,
                                                    config.registries.lazy_background);
  trust = TRY(image::Trust::open(*database, config.policy_file));
  puller = image::Puller::create(*images, *blob_ledger, *trust, config.registries, lazy_layers.get());
  pusher = image::Pusher::create(*images, *blob_ledger, trust->origins(), config.registries);
  networks = TRY(network::Service::open(config, *database));
  volumes = TRY(volume::Service::open(config.data_root + "/volumes", *database));
  return {};
}

Result<void> Engine::Wiring::open_services(const spec::EngineConfig& config) {
  set = std::make_unique<ContainerSet>(*database);
  TRY(set->load());
  parts = std::make_unique<Parts>(
      Parts{config, *database, *images, *trust, *networks, *volumes, nullptr, nullptr, *workers});
  images->set_while_still([this](const std::string& layer, const auto& work) {
    return while_containers_are_still(*parts, *set, layer, work);
  });
  execs = std::make_unique<Execs>(*parts, *set, events);
  health = std::make_unique<Health>(*parts, *set, events, *execs);
  lifecycle = std::make_unique<Lifecycle>(*parts, *set, events, *health, *execs);
  health->on_unhealthy([this](const std::string& id) {
    if (auto restarted = lifecycle->restart(id, std::nullopt, ""); !restarted.ok())
      log::warning("restarting container {}, which is unhealthy: {}", id, restarted.error().message());
  });
  containers = std::make_unique<Containers>(*parts, *set, events, *lifecycle);
  logs = std::make_unique<Logs>(*parts, *set);
  attach = std::make_unique<Attach>(*parts, *set, events);
  files = std::make_unique<Files>(*parts, *set);
  stats = std::make_unique<Stats>(*parts, *set);
  budget = std::make_unique<ImageBudget>(*parts, *set, events);
  parts->budget = budget.get();
  image_service = std::make_unique<Images>(*parts, *set, events);
  archives = std::make_unique<Archives>(*parts, events);
  commits = std::make_unique<Commits>(*parts, *set, events, *lifecycle);
  registries = std::make_unique<Registries>(*parts, *puller, *pusher, events);
  fsck = std::make_unique<Fsck>(*parts, *set, *puller);
  manifests = std::make_unique<RemoteManifests>(*parts);
  network_service = std::make_unique<Networks>(*parts, *set, events);
  volume_service = std::make_unique<Volumes>(*parts, events);
  system = std::make_unique<System>(*parts, *set, events, *containers, *image_service, *volume_service);
  runner = TRY(runner::Runner::open(config, [this](runner::Event event) { dispatch(std::move(event)); }));
  parts->runner = runner.get();
  builder = TRY(build::Service::open({config, *images, *trust, *runner, *networks, *database}));
  parts->builds = builder.get();
  builds = std::make_unique<Builds>(*parts, *builder, events);
  return lifecycle->recover();
}

/// On the runner's thread: leads to a worker what takes time. The end of an exec is recorded here and now,
/// because the clients are let go when this returns, and then ask for the exit code.
void Engine::Wiring::dispatch(runner::Event event) {
  const MutexLock lock(gate);
  if (closing) return;
  if (event.type == runner::Event::Type::ExecExited)
    return execs->exited(event.container, event.exec, event.exit);
  workers->post([this, event = std::move(event)] {
    if (parts->builds && parts->builds->handle(event)) return;
    switch (event.type) {
      case runner::Event::Type::Exited:
        return lifecycle->exited(event.container, event.exit);
      case runner::Event::Type::ExecExited:
        return;
      case runner::Event::Type::OutOfMemory:
        return lifecycle->out_of_memory(event.container);
    }
  });
}

Result<std::unique_ptr<Engine>> Engine::open(const spec::EngineConfig& config) {
  auto wiring = std::make_unique<Wiring>();
  TRY(wiring->open_stores(config));
  TRY(wiring->open_services(config));
  return std::make_unique<Engine>(std::move(wiring));
}

Engine::Engine(std::unique_ptr<Wiring> wiring)
    : containers(*wiring->containers),
      lifecycle(*wiring->lifecycle),
      execs(*wiring->execs),
      logs(*wiring->logs),
      attach(*wiring->attach),
      files(*wiring->files),
      stats(*wiring->stats),
      events(wiring->events),
      images(*wiring->image_service),
      archives(*wiring->archives),
      commits(*wiring->commits),
      networks(*wiring->network_service),
      volumes(*wiring->volume_service),
      system(*wiring->system),
      registries(*wiring->registries),
      fsck(*wiring->fsck),
      builds(*wiring->builds),
      image_store(*wiring->images),
      manifests(*wiring->manifests),
      trust(*wiring->trust),
      budget(*wiring->budget),
      wiring_(std::move(wiring)) {}

namespace {

/// What all containers were in goes, unless one still runs.
void remove_cgroup_parent(const spec::EngineConfig& config) {
  if (!config.own_cgroup_parent) return;
  const auto remove = [&]() -> Result<void> {
    return sys::Cgroup(TRY(sys::CgroupLayout::detect()), config.cgroup_parent).remove_if_empty();
  };
  if (const auto removed = remove(); !removed) log::warning("{}", removed.error().message());
}

}  // namespace

void Engine::stop_fetching() { wiring_->lazy_layers->stop(); }

Engine::~Engine() {
  stop_fetching();
  wiring_->lifecycle->shut_down();
  {
    const MutexLock lock(wiring_->gate);
    wiring_->closing = true;
  }
  wiring_->workers.reset();
  // A task must not outlive the runner it speaks through.
  for (const auto& container : wiring_->set->all()) {
    const MutexLock lock(container->mutex);
    container->task.reset();
  }
  wiring_->networks->shutdown();
  remove_cgroup_parent(wiring_->parts->config);
}

}  // namespace skiff::engine
