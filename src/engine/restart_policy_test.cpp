#include "engine/restart_policy.h"

#include <gtest/gtest.h>

namespace skiff::engine {
namespace {

using namespace std::chrono_literals;

TEST(RestartPolicy, FollowsItsName) {
  EXPECT_FALSE(should_restart({"no", 0}, Intent::Run, 1, 0));
  EXPECT_TRUE(should_restart({"always", 0}, Intent::Run, 0, 100));
  EXPECT_TRUE(should_restart({"unless-stopped", 0}, Intent::Run, 0, 5));
  EXPECT_FALSE(should_restart({"on-failure", 0}, Intent::Run, 0, 0));
  EXPECT_TRUE(should_restart({"on-failure", 0}, Intent::Run, 1, 1000));
  EXPECT_TRUE(should_restart({"on-failure", 2}, Intent::Run, 1, 1));
  EXPECT_FALSE(should_restart({"on-failure", 2}, Intent::Run, 1, 2));
}

TEST(RestartPolicy, AStoppedContainerStaysStopped) {
  for (const char* name : {"always", "unless-stopped", "on-failure"})
    EXPECT_FALSE(should_restart({name, 0}, Intent::Stop, 1, 0)) << name;
}

TEST(RestartPolicy, WithTheDaemonOnlyAlwaysForgetsTheStop) {
  RunState stopped;
  stopped.started_at = now();
  stopped.intent = Intent::Stop;
  stopped.exit_code = 137;
  EXPECT_TRUE(should_start_with_daemon({"always", 0}, stopped));
  EXPECT_FALSE(should_start_with_daemon({"unless-stopped", 0}, stopped));
  RunState never;
  EXPECT_FALSE(should_start_with_daemon({"always", 0}, never));
}

TEST(RestartPolicy, DelaysDoubleUpToAMinute) {
  EXPECT_EQ(next_restart_delay(0ms, 1s), 100ms);
  EXPECT_EQ(next_restart_delay(100ms, 1s), 200ms);
  EXPECT_EQ(next_restart_delay(51200ms, 1s), 60000ms);
  EXPECT_EQ(next_restart_delay(60000ms, 10s), 100ms);
}

}  // namespace
}  // namespace skiff::engine
