#include "engine/workers.h"

#include <sys/resource.h>

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

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/// No new thread gets its stack as long as this lives.
class NoThreads {
 public:
  NoThreads() {
    ::getrlimit(RLIMIT_AS, &before_);
    const rlimit nothing{1, before_.rlim_max};
    ::setrlimit(RLIMIT_AS, &nothing);
  }
  ~NoThreads() { ::setrlimit(RLIMIT_AS, &before_); }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  rlimit before_{};
};

/// In a process of its own, which has no stacks of former threads to give.
TEST(WorkersDeathTest, JobsWaitForAThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto later = [] {
    std::atomic<int> ran = 0;
    Workers workers;
    {
      const NoThreads none;
      workers.post([&] { ++ran; });
      if (ran != 0) std::_Exit(1);
    }
    workers.drain();  // the timekeeper has found a thread
    std::_Exit(ran == 1 ? 0 : 2);
  };
  EXPECT_EXIT(later(), testing::ExitedWithCode(0), "a job waits for a thread");
  const auto never = [] {
    std::atomic<int> ran = 0;
    auto workers = std::make_unique<Workers>();
    const NoThreads none;
    workers->post([&] { ++ran; });
    workers.reset();
    std::_Exit(ran == 1 ? 0 : 2);
  };
  EXPECT_EXIT(never(), testing::ExitedWithCode(0), "a job waits for a thread");
}
#endif

}  // namespace
}  // namespace skiff::engine
