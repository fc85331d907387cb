#include "engine/lifecycle.h"

#include <gtest/gtest.h>

#include <thread>

#include "engine/testing/rig.h"

namespace skiff::engine {
namespace {

using testing::FakeTask;
using testing::Rig;

TEST(Lifecycle, StartsAndStops) {
  Rig rig;
  rig.create("web");
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  const RunState run = rig.get("web").run_now();
  EXPECT_EQ(run.state, State::Running);
  EXPECT_EQ(run.pid, 4242);
  EXPECT_TRUE(rig.networks.plugged.contains(rig.get("web").id));
  EXPECT_EQ(rig.lifecycle->start("web").error().kind(), Kind::NotModified);
  ASSERT_TRUE(rig.lifecycle->stop("web", std::nullopt, "").ok());
  EXPECT_EQ(rig.get("web").state_now(), State::Exited);
  EXPECT_EQ(rig.get("web").run_now().exit_code, 143);
  EXPECT_TRUE(rig.networks.allocated.empty());
  EXPECT_EQ(rig.task("web").released, 1);
  EXPECT_EQ(rig.lifecycle->stop("web", std::nullopt, "").error().kind(), Kind::NotModified);
}

TEST(Lifecycle, StubbornProgramsAreKilled) {
  Rig rig;
  rig.runner.prepare = [](FakeTask& task) { task.ignores = {SIGTERM}; };
  rig.create("web");
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  ASSERT_TRUE(rig.lifecycle->stop("web", 0, "").ok());
  EXPECT_EQ(rig.task("web").signals, (std::vector<int>{SIGTERM, SIGKILL}));
  EXPECT_EQ(rig.get("web").run_now().exit_code, 137);
}

TEST(Lifecycle, MissingProgramsAre127AndLeaveNothing) {
  Rig rig;
  rig.runner.prepare = [](FakeTask& task) {
    task.start_error = Error(Kind::NotFound, "exec: \"x\": executable file not found in $PATH");
  };
  rig.create("web");
  const auto started = rig.lifecycle->start("web");
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().kind(), Kind::InvalidArgument);
  EXPECT_NE(started.error().message().find("executable file not found in $PATH"), std::string::npos);
  const RunState run = rig.get("web").run_now();
  EXPECT_EQ(run.state, State::Created);
  EXPECT_EQ(run.exit_code, 127);
  EXPECT_TRUE(rig.networks.allocated.empty());
  EXPECT_TRUE(rig.networks.plugged.empty());
  EXPECT_EQ(rig.task("web").released, 1);
}

TEST(Lifecycle, AnExternalRuntimesSentenceIsWhole) {
  Rig rig;
  rig.config.runtimes["crun"] = {"/usr/bin/crun", {"--debug"}};
  rig.config.monitor_program = "/opt/skiff-monitor";
  rig.runner.prepare = [](FakeTask& task) {
    task.start_error =
        Error(Kind::Forbidden, "OCI runtime start failed: no such file or directory: permission denied");
  };
  auto body = Rig::request();
  body.host_config.runtime = "crun";
  rig.create("web", body);
  const auto started = rig.lifecycle->start("web");
  EXPECT_EQ(started.error().kind(), Kind::InvalidArgument);
  EXPECT_EQ(started.error().message(),
            "OCI runtime start failed: no such file or directory: permission denied");
  EXPECT_EQ(rig.get("web").run_now().exit_code, 126);
  const auto& given = rig.task("web").bundle.runtime;
  ASSERT_TRUE(given);
  EXPECT_EQ(given->name, "crun");
  EXPECT_EQ(given->path, "/usr/bin/crun");
  EXPECT_EQ(given->arguments, std::vector<std::string>{"--debug"});
  EXPECT_EQ(given->init, "/opt/skiff-monitor");
}

TEST(Lifecycle, ARuntimeThatIsNotRegisteredAnyMoreIsNamed) {
  Rig rig;
  rig.config.runtimes["crun"] = {"/usr/bin/crun", {}};
  auto body = Rig::request();
  body.host_config.runtime = "crun";
  rig.create("web", body);
  rig.config.runtimes.clear();
  EXPECT_EQ(rig.lifecycle->start("web").error().message(), "unknown or invalid runtime name: crun");
}

TEST(Lifecycle, AContainerThatRemovesItselfGoesWhenItCannotStart) {
  Rig rig;
  rig.runner.prepare = [](FakeTask& task) {
    task.start_error = Error(Kind::NotFound, "exec: no such file or directory");
  };
  auto body = Rig::request();
  body.host_config.auto_remove = true;
  rig.create("web", body);
  auto removed = rig.lifecycle->wait("web", WaitCondition::Removed);
  EXPECT_FALSE(rig.lifecycle->start("web").ok());
  EXPECT_EQ(removed->get({})->exit_code, 127);
  EXPECT_EQ(rig.set->size(), 0U);
}

TEST(Lifecycle, TakenPortsUndoTheStart) {
  Rig rig;
  auto body = Rig::request();
  body.host_config.port_bindings["80/tcp"] = {{"", "8080"}};
  rig.create("one", body);
  rig.create("two", body);
  ASSERT_TRUE(rig.lifecycle->start("one").ok());
  const auto second = rig.lifecycle->start("two");
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.error().message().find("port is already allocated"), std::string::npos);
  EXPECT_EQ(rig.networks.allocated.size(), 1U);
  EXPECT_EQ(rig.get("one").run_now().ports.at("80/tcp").front().host_port, "8080");
}

TEST(Lifecycle, AProgramThatEndsAtOnceIsNotLost) {
  Rig rig;
  rig.runner.prepare = [](FakeTask& task) { task.ends_at_once = 3; };
  rig.create("web");
  auto waiter = rig.lifecycle->wait("web", WaitCondition::NextExit);
  ASSERT_TRUE(waiter.ok());
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  const auto result = waiter->get({});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(rig.get("web").state_now(), State::Exited);
}

TEST(Lifecycle, WaitConditions) {
  Rig rig;
  auto body = Rig::request();
  body.host_config.auto_remove = true;
  rig.create("web", body);
  EXPECT_TRUE(rig.lifecycle->wait("web", WaitCondition::NotRunning)->get({}).ok()) << "it never ran";
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  std::stop_source given_up;
  given_up.request_stop();
  EXPECT_EQ(rig.lifecycle->wait("web", WaitCondition::NotRunning)->get(given_up.get_token()).error().kind(),
            Kind::Cancelled);
  auto removed = rig.lifecycle->wait("web", WaitCondition::Removed);
  rig.task("web").end(7);
  EXPECT_EQ(removed->get({})->exit_code, 7);
  EXPECT_FALSE(rig.set->find("web").ok());
  EXPECT_TRUE(rig.images->fake_snapshots.keys.empty());
  EXPECT_EQ(*parse_wait_condition(""), WaitCondition::NotRunning);
  EXPECT_FALSE(parse_wait_condition("never").ok());
}

TEST(Lifecycle, RestartPolicyStartsAgainAndStopEndsThat) {
  Rig rig;
  auto body = Rig::request();
  body.host_config.restart_policy.name = "always";
  rig.create("web", body);
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  rig.task("web").end(1);
  rig.await("web", State::Restarting);
  rig.await("web", State::Running);
  EXPECT_EQ(rig.get("web").run_now().restart_count, 1);
  ASSERT_TRUE(rig.lifecycle->stop("web", std::nullopt, "").ok());
  EXPECT_EQ(rig.get("web").state_now(), State::Exited);
}

TEST(Lifecycle, PauseForbidsWhatItMust) {
  Rig rig;
  rig.create("web");
  EXPECT_EQ(rig.lifecycle->pause("web").error().kind(), Kind::Conflict);
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  ASSERT_TRUE(rig.lifecycle->pause("web").ok());
  EXPECT_EQ(rig.get("web").state_now(), State::Paused);
  EXPECT_EQ(rig.lifecycle->start("web").error().message(),
            "cannot start a paused container, try unpause instead");
  EXPECT_FALSE(rig.lifecycle->pause("web").ok());
  ASSERT_TRUE(rig.lifecycle->unpause("web").ok());
  EXPECT_FALSE(rig.lifecycle->unpause("web").ok());
  EXPECT_EQ(rig.get("web").state_now(), State::Running);
}

TEST(Lifecycle, KillNeedsARunningContainer) {
  Rig rig;
  const std::string id = rig.create("web");
  EXPECT_EQ(rig.lifecycle->kill("web", "KILL").error().message(),
            "cannot kill container: web: container " + id + " is not running");
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  EXPECT_EQ(rig.lifecycle->kill("web", "NOSUCH").error().message(),
            "cannot kill container: web: invalid signal: NOSUCH");
  EXPECT_EQ(rig.lifecycle->kill("web", "200").error().message(),
            "cannot kill container: web: the linux daemon does not support signal 200");
  ASSERT_TRUE(rig.lifecycle->kill("web", "").ok());
  EXPECT_EQ(rig.get("web").run_now().exit_code, 137);
}

TEST(Lifecycle, RemovalNeedsAStoppedContainerOrForce) {
  Rig rig;
  const std::string id = rig.create("web");
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  EXPECT_EQ(rig.containers->remove("web", {}).error().message(),
            "cannot remove container \"web\": container is running: stop the container before removing or "
            "force remove");
  RemoveOptions force;
  force.force = true;
  ASSERT_TRUE(rig.containers->remove("web", force).ok());
  EXPECT_EQ(rig.containers->remove("web", force).error().message(), "No such container: web");
  EXPECT_FALSE(sys::exists(container_directory(rig.config, id)));
}

TEST(Lifecycle, ARemovalThatFailsLeavesNothingWhenItIsAskedForAgain) {
  Rig rig;
  RemoveOptions with_volumes;
  with_volumes.volumes = true;
  auto body = Rig::request();
  body.config.volumes["/anonymous"];
  for (const char* name : {"again", "restart"}) {
    rig.create(name, body);
    rig.volumes.failing = true;
    EXPECT_EQ(rig.containers->remove(name, with_volumes).error().message(),
              fmt::format("cannot remove container \"{}\": disk I/O error", name));
    EXPECT_EQ(rig.get(name).state_now(), State::Dead);
    EXPECT_EQ(rig.volumes.volumes.size(), 1u);
    rig.volumes.failing = false;
    if (name == std::string_view("again")) {
      ASSERT_TRUE(rig.containers->remove(name, {}).ok());
    } else {
      rig.reopen();
      ASSERT_TRUE(rig.lifecycle->recover().ok());
    }
    EXPECT_FALSE(rig.set->find(name).ok());
    EXPECT_TRUE(rig.volumes.volumes.empty()) << "the first removal was to take them along";
    EXPECT_TRUE(rig.images->fake_snapshots.keys.empty());
  }
}

TEST(Lifecycle, WhatCouldNotBeDeletedGoesWithTheNext) {
  Rig rig;
  rig.create("web");
  const std::string before = rig.config.data_root + "/tmp/removed-before";
  ASSERT_TRUE(sys::make_directories(before + "/files").ok());
  ASSERT_TRUE(rig.containers->remove("web", {}).ok());
  rig.workers->drain();
  EXPECT_TRUE(sys::list_directory(rig.config.data_root + "/tmp")->empty());
}

TEST(Lifecycle, TheDaemonsDeathLosesNothing) {
  Rig rig;
  rig.create("lives");
  rig.create("died");
  rig.create("never");
  for (const char* name : {"lives", "died"}) ASSERT_TRUE(rig.lifecycle->start(name).ok());
  const std::string lives = rig.get("lives").id;
  rig.runner.survivors[lives] = rig.runner.tasks.at(lives);
  rig.reopen();
  ASSERT_TRUE(rig.lifecycle->recover().ok());
  EXPECT_EQ(rig.get("lives").state_now(), State::Running);
  EXPECT_EQ(rig.get("lives").run_now().pid, 4242);
  EXPECT_EQ(rig.get("died").state_now(), State::Exited);
  EXPECT_EQ(rig.get("died").run_now().exit_code, 255) << "no exit record: the machine lost power";
  EXPECT_EQ(rig.get("never").state_now(), State::Created);
  EXPECT_EQ(rig.networks.alive, std::vector<std::string>{lives});
  ASSERT_TRUE(rig.lifecycle->stop("lives", std::nullopt, "").ok());
}

TEST(Lifecycle, HalfMadeThingsAreRemovedAtRecovery) {
  Rig rig;
  rig.create("whole");
  ASSERT_TRUE(sys::make_directories(container_directory(rig.config, "half")).ok());
  rig.images->fake_snapshots.keys.insert(snapshot_key("half"));
  rig.images->fake_snapshots.keys.insert("layer-of-an-image");
  rig.reopen();
  ASSERT_TRUE(rig.lifecycle->recover().ok());
  EXPECT_FALSE(sys::exists(container_directory(rig.config, "half")));
  EXPECT_EQ(rig.images->fake_snapshots.keys,
            (std::set<std::string>{snapshot_key(rig.get("whole").id), "layer-of-an-image"}));
}

TEST(Lifecycle, AStartCutInHalfIsUndone) {
  Rig rig;
  rig.create("kept");
  auto body = Rig::request();
  body.host_config.auto_remove = true;
  rig.create("temporary", body);
  for (const char* name : {"kept", "temporary"}) {
    const std::string id = rig.get(name).id;
    auto task = std::make_shared<testing::FakeTask>(id, rig.runner.listener, runner::Bundle{});
    task->half_made = true;
    rig.runner.survivors[id] = task;
  }
  const std::string kept = rig.get("kept").id;
  rig.reopen();
  ASSERT_TRUE(rig.lifecycle->recover().ok());
  EXPECT_EQ(rig.get("kept").state_now(), State::Created);
  EXPECT_EQ(rig.runner.survivors.at(kept)->released, 1);
  EXPECT_FALSE(rig.set->find("temporary").ok());
  EXPECT_TRUE(rig.networks.alive.empty());
}

TEST(Lifecycle, AlwaysStartsWithTheDaemon) {
  Rig rig;
  auto body = Rig::request();
  body.host_config.restart_policy.name = "always";
  rig.create("web", body);
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  rig.reopen();
  ASSERT_TRUE(rig.lifecycle->recover().ok());
  rig.await("web", State::Running);
}

}  // namespace
}  // namespace skiff::engine
