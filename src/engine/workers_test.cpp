#include "engine/workers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>

namespace skiff::engine {
namespace {

TEST(Workers, BlockedJobsDoNotHoldUpOthers) {
  Workers workers;
  std::latch last_ran(1);
  std::latch all(8);
  for (int i = 0; i < 7; ++i) {
    workers.post([&] {
      last_ran.wait();
      all.count_down();
    });
  }
  workers.post([&] {
    last_ran.count_down();
    all.count_down();
  });
  all.wait();
}

TEST(Workers, TimersRunInOrderOfTheirTime) {
  Workers workers;
  std::latch done(2);
  std::atomic<int> order = 0;
  int first = 0;
  int second = 0;
  workers.post_after(std::chrono::milliseconds(2), [&] {
    second = ++order;
    done.count_down();
  });
  workers.post_after(std::chrono::nanoseconds(0), [&] {
    first = ++order;
    done.count_down();
  });
  done.wait();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

TEST(Workers, CancelledTimersNeverRun) {
  std::atomic<bool> ran = false;
  {
    Workers workers;
    const auto timer = workers.post_after(std::chrono::hours(1), [&] { ran = true; });
    EXPECT_TRUE(workers.cancel(timer));
    EXPECT_FALSE(workers.cancel(timer));
    workers.post_after(std::chrono::hours(1), [&] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

TEST(Workers, TheEndWaitsForWhatWasPosted) {
  std::atomic<int> ran = 0;
  {
    Workers workers;
    for (int i = 0; i < 20; ++i) workers.post([&] { ++ran; });
  }
  EXPECT_EQ(ran, 20);
}

}  // namespace
}  // namespace skiff::engine
