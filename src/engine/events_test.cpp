#include "engine/events.h"

#include <gtest/gtest.h>

#include <thread>

namespace skiff::engine {
namespace {

std::vector<std::string> actions(Events& events, Events::Options options) {
  std::vector<std::string> seen;
  std::stop_source stop;
  stop.request_stop();
  if (!options.since) options.since = Time{};
  const auto sink = [&](const spec::docker::EventMessage& e) -> Result<void> {
    seen.push_back(e.action);
    return {};
  };
  EXPECT_TRUE(events.read(options, sink, stop.get_token()).ok());
  return seen;
}

using Names = std::vector<std::string>;

TEST(Events, HistoryIsReplayedInOrder) {
  Events events;
  events.publish("container", "create", "c1", {{"name", "web"}, {"image", "busybox:latest"}});
  events.publish("container", "start", "c1", {{"name", "web"}, {"image", "busybox:latest"}});
  EXPECT_EQ(actions(events, {}), (Names{"create", "start"}));
}

TEST(Events, FiltersByTypeActorActionAndLabel) {
  Events events;
  events.publish("container", "create", "abc1",
                 {{"name", "web"}, {"image", "busybox:latest"}, {"tier", "front"}});
  events.publish("container", "exec_create: ls -l", "abc1", {{"name", "web"}, {"image", "busybox:latest"}});
  events.publish("network", "connect", "net1", {{"name", "bridge"}});
  const auto with = [&](const char* name, const char* value) {
    Events::Options options;
    options.filters.add(name, value);
    return actions(events, options);
  };
  EXPECT_EQ(with("type", "network"), Names{"connect"});
  EXPECT_EQ(with("container", "web").size(), 2U);
  EXPECT_EQ(with("container", "w").size(), 2U);  // as Docker: the start of a name will do
  EXPECT_EQ(with("container", "eb").size(), 0U);
  EXPECT_EQ(with("nonsense", "1").size(), 3U);  // and a filter it does not know filters nothing
  EXPECT_EQ(with("container", "abc").size(), 2U);
  EXPECT_EQ(with("event", "exec_create"), Names{"exec_create: ls -l"});
  EXPECT_EQ(with("image", "busybox").size(), 2U);
  EXPECT_EQ(with("label", "tier=front"), Names{"create"});
}

TEST(Events, OnlyTheLastOnesAreKept) {
  Events events;
  for (std::size_t i = 0; i < Events::kHistory + 5; ++i) events.publish("daemon", std::to_string(i), "d", {});
  const auto seen = actions(events, {});
  ASSERT_EQ(seen.size(), Events::kHistory);
  EXPECT_EQ(seen.front(), "5");
}

TEST(Events, ReadersWakeUpForNewOnesAndForTheStop) {
  Events events;
  std::stop_source stop;
  std::jthread reader([&] {
    Events::Options options;
    options.since = Time{};
    const auto sink = [&](const spec::docker::EventMessage& e) -> Result<void> {
      if (e.action == "last") stop.request_stop();
      return {};
    };
    EXPECT_TRUE(events.read(options, sink, stop.get_token()).ok());
  });
  events.publish("volume", "create", "v", {});
  events.publish("volume", "last", "v", {});
}

TEST(Events, UntilInThePastEndsAtOnce) {
  Events events;
  events.publish("volume", "create", "v", {});
  Events::Options options;
  options.since = Time{};
  options.until = now();
  int count = 0;
  const auto sink = [&](const spec::docker::EventMessage&) -> Result<void> {
    ++count;
    return {};
  };
  EXPECT_TRUE(events.read(options, sink, {}).ok());
  EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace skiff::engine
