#include "engine/health.h"

#include <gtest/gtest.h>

namespace skiff::engine {
namespace {

using namespace std::chrono_literals;

spec::docker::ContainerConfig with_check(std::vector<std::string> test) {
  spec::docker::ContainerConfig config;
  config.healthcheck.emplace();
  config.healthcheck->test = std::move(test);
  return config;
}

spec::docker::HealthResult result(int code) {
  spec::docker::HealthResult r;
  r.exit_code = code;
  return r;
}

TEST(Health, DefaultsAreDockers) {
  const auto plan = health_plan(with_check({"CMD-SHELL", "true"}));
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->command, (std::vector<std::string>{"/bin/sh", "-c", "true"}));
  EXPECT_EQ(plan->interval, 30s);
  EXPECT_EQ(plan->timeout, 30s);
  EXPECT_EQ(plan->start_interval, 5s);
  EXPECT_EQ(plan->retries, 3);
  EXPECT_FALSE(health_plan(with_check({"NONE"})).has_value());
  EXPECT_FALSE(health_plan(with_check({})).has_value());
  EXPECT_FALSE(health_plan({}).has_value());
}

TEST(Health, TurnsUnhealthyAfterRetriesAndBackAtOnce) {
  HealthPlan plan;
  plan.retries = 2;
  spec::docker::Health health{"starting", 0, {}};
  EXPECT_FALSE(enter_result(health, plan, result(1), false));
  EXPECT_EQ(health.status, "starting");
  EXPECT_TRUE(enter_result(health, plan, result(1), false));
  EXPECT_EQ(health.status, "unhealthy");
  EXPECT_EQ(health.failing_streak, 2);
  EXPECT_TRUE(enter_result(health, plan, result(0), false));
  EXPECT_EQ(health.status, "healthy");
  EXPECT_EQ(health.failing_streak, 0);
}

TEST(Health, FailuresWhileStartingDoNotCount) {
  HealthPlan plan;
  plan.retries = 1;
  spec::docker::Health health{"starting", 0, {}};
  EXPECT_FALSE(enter_result(health, plan, result(1), true));
  EXPECT_EQ(health.failing_streak, 0);
  EXPECT_TRUE(enter_result(health, plan, result(0), true));
  EXPECT_TRUE(enter_result(health, plan, result(1), true)) << "once healthy, the start period is over";
}

TEST(Health, KeepsFiveResultsAndBoundsTheirOutput) {
  spec::docker::Health health{"starting", 0, {}};
  for (int i = 0; i < 8; ++i) {
    auto r = result(i);
    r.output = std::string(10000, 'x');
    enter_result(health, {}, r, false);
  }
  ASSERT_EQ(health.log.size(), 5U);
  EXPECT_EQ(health.log.front().exit_code, 3);
  EXPECT_EQ(health.log.front().output.size(), 4096U);
}

}  // namespace
}  // namespace skiff::engine
