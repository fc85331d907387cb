#include "engine/containers.h"

#include <gtest/gtest.h>

#include "engine/testing/rig.h"

namespace skiff::engine {
namespace {

using testing::Rig;

TEST(Create, SettlesTheWholeContainer) {
  Rig rig;
  auto body = Rig::request();
  body.host_config.binds = {"data:/data", "/etc:/host:ro"};
  body.config.volumes["/anonymous"];
  const std::string id = rig.create("web", body);
  const auto shown = rig.containers->inspect("web", false);
  ASSERT_TRUE(shown.ok());
  EXPECT_EQ(shown->id, id);
  EXPECT_EQ(shown->name, "/web");
  EXPECT_EQ(shown->path, "sleep");
  EXPECT_EQ(shown->config.hostname, id.substr(0, 12));
  EXPECT_EQ(shown->host_config.network_mode, "bridge");
  EXPECT_EQ(shown->state.status, "created");
  EXPECT_EQ(shown->mounts.size(), 3U);
  EXPECT_EQ(rig.volumes.held.at(id).size(), 2U);
  EXPECT_TRUE(shown->network_settings.networks.contains("bridge"));
}

TEST(Create, FailuresLeaveNothing) {
  Rig rig;
  rig.images->fake_snapshots.refuses = true;
  EXPECT_FALSE(rig.containers->create("web", "", Rig::request()).ok());
  rig.images->fake_snapshots.refuses = false;
  auto body = Rig::request();
  body.host_config.binds = {"fresh:/a", "bad/name:/x"};
  EXPECT_FALSE(rig.containers->create("web", "", body).ok());
  EXPECT_EQ(rig.set->size(), 0U);
  EXPECT_TRUE(rig.volumes.volumes.empty());
  EXPECT_TRUE(rig.volumes.held.empty());
  EXPECT_TRUE(rig.images->fake_snapshots.keys.empty());
  EXPECT_TRUE(sys::list_directory(rig.config.data_root + "/containers")->empty());
  rig.create("web");  // the name is free
}

TEST(Create, NamesAndImagesInDockersWords) {
  Rig rig;
  const std::string id = rig.create("web");
  EXPECT_EQ(rig.containers->create("web", "", Rig::request()).error().message(),
            "Conflict. The container name \"/web\" is already in use by container \"" + id +
                "\". You have to remove (or rename) that container to be able to reuse that name.");
  EXPECT_EQ(rig.containers->create("?x", "", Rig::request()).error().message(),
            "Invalid container name (?x), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
  auto body = Rig::request();
  body.config.image = "nosuch";
  EXPECT_EQ(rig.containers->create("", "", body).error().kind(), Kind::NotFound);
  body = Rig::request();
  body.host_config.binds = {"/a:/x", "/b:/x"};
  EXPECT_EQ(rig.containers->create("", "", body).error().message(), "Duplicate mount point: /x");
}

TEST(ContainerSet, FindsByNameIdAndPrefix) {
  Rig rig;
  const std::string id = rig.create("web");
  for (const std::string& name : {std::string("web"), std::string("/web"), id, id.substr(0, 12)})
    EXPECT_TRUE(rig.set->find(name).ok()) << name;
  EXPECT_EQ(rig.set->find("nope").error().message(), "No such container: nope");
  rig.reopen();
  EXPECT_TRUE(rig.set->find("web").ok()) << "records survive";
}

TEST(Rename, MovesTheName) {
  Rig rig;
  rig.create("old");
  rig.create("taken");
  EXPECT_EQ(rig.containers->rename("old", "taken").error().kind(), Kind::Conflict);
  ASSERT_TRUE(rig.containers->rename("old", "new").ok());
  EXPECT_FALSE(rig.set->find("old").ok());
  rig.reopen();
  EXPECT_TRUE(rig.set->find("new").ok());
  rig.create("old");
}

TEST(List, FiltersAndLimits) {
  Rig rig;
  auto body = Rig::request();
  body.config.labels = {{"tier", "front"}};
  rig.create("one", body);
  rig.create("two");
  ASSERT_TRUE(rig.lifecycle->start("two").ok());
  const auto names = [&](ListOptions options) {
    std::string text;
    const auto list = rig.containers->list(options);
    EXPECT_TRUE(list.ok()) << (list.ok() ? "" : list.error().message());
    for (const auto& summary : *list) text += summary.names.front();
    return text;
  };
  const auto with = [&](const char* name, const char* value) {
    ListOptions options;
    options.all = true;
    options.filters.add(name, value);
    return names(options);
  };
  EXPECT_EQ(names({}), "/two");
  ListOptions all;
  all.all = true;
  EXPECT_EQ(names(all), "/two/one");
  all.limit = 1;
  EXPECT_EQ(names(all), "/two");
  EXPECT_EQ(with("label", "tier=front"), "/one");
  EXPECT_EQ(with("status", "created"), "/one");
  EXPECT_EQ(with("name", "^/t"), "/two");
  EXPECT_EQ(with("network", "bridge"), "/two/one");
  EXPECT_EQ(with("ancestor", "busybox"), "/two/one");
  EXPECT_EQ(with("before", "two"), "/one");
  EXPECT_EQ(with("since", "one"), "/two");
  ListOptions odd;
  odd.filters.add("colour", "red");
  EXPECT_EQ(rig.containers->list(odd).error().message(), "invalid filter 'colour'");
}

TEST(Update, ReachesTheRunningContainer) {
  Rig rig;
  rig.create("web");
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  spec::docker::ContainerUpdate change;
  change.resources.memory = 64 << 20;
  change.resources.memory_swap = 64 << 20;
  change.restart_policy = spec::docker::RestartPolicy{"on-failure", 2};
  ASSERT_TRUE(rig.containers->update("web", change).ok());
  EXPECT_EQ(rig.task("web").updated->memory->limit, 64 << 20);
  rig.task("web").end(0);
  rig.await("web", State::Exited);
  rig.reopen();
  EXPECT_EQ(rig.get("web").definition_now().host.restart_policy.maximum_retry_count, 2);
}

TEST(Execs, RunAndAreKnownAfterwards) {
  Rig rig;
  rig.create("web");
  spec::docker::ExecCreate request;
  request.cmd = {"true"};
  EXPECT_EQ(rig.execs->create("web", request).error().kind(), Kind::Conflict);
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  rig.task("web").exec_code = 4;
  const auto id = rig.execs->create("web", request);
  ASSERT_TRUE(id.ok());
  ASSERT_TRUE(rig.execs->prepare(*id).ok());
  ASSERT_TRUE(rig.execs->start(*id, {}, {}, "").ok());
  rig.workers->drain();
  const auto shown = rig.execs->inspect(*id);
  ASSERT_TRUE(shown.ok());
  EXPECT_FALSE(shown->running);
  EXPECT_EQ(shown->exit_code, 4);
  EXPECT_FALSE(rig.execs->prepare(*id).ok());
  EXPECT_EQ(rig.execs->inspect("nope").error().message(), "No such exec instance: nope");
}

TEST(Execs, MissingProgramsAre127) {
  Rig rig;
  rig.create("web");
  ASSERT_TRUE(rig.lifecycle->start("web").ok());
  rig.task("web").exec_error = Error(Kind::NotFound, "exec: \"x\": executable file not found in $PATH");
  spec::docker::ExecCreate request;
  request.cmd = {"x"};
  const auto id = rig.execs->create("web", request);
  const auto started = rig.execs->start(*id, {}, {}, "");
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(
      started.error().message(),
      "OCI runtime exec failed: exec failed: unable to start container process: exec: \"x\": executable file "
      "not found in $PATH");
  EXPECT_EQ(rig.execs->inspect(*id)->exit_code, 127);
}

}  // namespace
}  // namespace skiff::engine
