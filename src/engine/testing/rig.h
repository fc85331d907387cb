#pragma once

#include <gtest/gtest.h>

#include "base/ids.h"
#include "content/store.h"
#include "engine/container.h"
#include "engine/containers.h"
#include "engine/events.h"
#include "engine/execs.h"
#include "engine/health.h"
#include "engine/lifecycle.h"
#include "engine/testing/fake_runner.h"
#include "engine/testing/fake_stores.h"
#include "engine/workers.h"
#include "sys/file.h"

namespace skiff::engine::testing {

/// The engine's services on fakes, over a real database in a directory of its own. reopen() is a new daemon.
class Rig {
 public:
  Rig() : root_("/tmp/engine-test-" + random_hex(6)) {
    config.data_root = root_;
    config.exec_root = root_ + "/run";
    config.cgroup_parent = "engine-test";
    EXPECT_TRUE(sys::make_directories(root_ + "/tmp").ok());
    EXPECT_TRUE(sys::make_directories(root_ + "/containers").ok());
    database = std::move(meta::Database::open(root_ + "/meta.db")).value();
    content = std::move(content::Store::open(root_ + "/content")).value();
    images = std::make_unique<FakeImages>(*content);
    trust = std::move(image::Trust::open(*database, "")).value();
    runner.listener = [this](runner::Event event) { dispatch(std::move(event)); };
    reopen();
  }
  ~Rig() {
    close();
    EXPECT_TRUE(sys::remove_tree(root_).ok());
  }

  void close() {
    if (lifecycle) lifecycle->shut_down();
    workers.reset();
  }
  void reopen() {
    close();
    workers = std::make_unique<Workers>();
    set = std::make_unique<ContainerSet>(*database);
    ASSERT_TRUE(set->load().ok());
    parts = std::make_unique<Parts>(
        Parts{config, *database, *images, *trust, networks, volumes, &runner, nullptr, *workers});
    execs = std::make_unique<Execs>(*parts, *set, events);
    health = std::make_unique<Health>(*parts, *set, events, *execs);
    lifecycle = std::make_unique<Lifecycle>(*parts, *set, events, *health, *execs);
    containers = std::make_unique<Containers>(*parts, *set, events, *lifecycle);
  }
  void dispatch(runner::Event event) {
    if (!workers) return;
    workers->post([this, event = std::move(event)] {
      if (event.type == runner::Event::Type::Exited) lifecycle->exited(event.container, event.exit);
      if (event.type == runner::Event::Type::ExecExited)
        execs->exited(event.container, event.exec, event.exit);
    });
  }

  static spec::docker::ContainerCreate request() {
    spec::docker::ContainerCreate request;
    request.config.image = "busybox";
    request.config.cmd = {"sleep", "1"};
    return request;
  }
  std::string create(const std::string& name, spec::docker::ContainerCreate body = request()) {
    auto created = containers->create(name, "", std::move(body));
    EXPECT_TRUE(created.ok()) << (created.ok() ? "" : created.error().message());
    return created.ok() ? created->id : "";
  }
  Container& get(const std::string& name) { return **set->find(name); }
  FakeTask& task(const std::string& name) { return *runner.tasks.at(get(name).id); }
  /// Blocks until the container is in `state`.
  void await(const std::string& name, State state) NO_THREAD_SAFETY_ANALYSIS {
    Container& container = get(name);
    std::unique_lock lock(container.mutex);
    container.changed.wait(lock, [&] { return container.run.state == state; });
  }

  spec::EngineConfig config;
  std::unique_ptr<meta::Database> database;
  std::unique_ptr<content::Store> content;
  std::unique_ptr<FakeImages> images;
  std::unique_ptr<image::Trust> trust;
  FakeNetworks networks;
  FakeVolumes volumes;
  FakeRunner runner;
  Events events;
  std::unique_ptr<ContainerSet> set;
  std::unique_ptr<Parts> parts;
  std::unique_ptr<Execs> execs;
  std::unique_ptr<Health> health;
  std::unique_ptr<Lifecycle> lifecycle;
  std::unique_ptr<Containers> containers;
  std::unique_ptr<Workers> workers;

 private:
  std::string root_;
};

}  // namespace skiff::engine::testing
