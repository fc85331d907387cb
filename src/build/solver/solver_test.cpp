#include "build/solver/solver.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <thread>

namespace skiff::build {
namespace {

/// Shared by the ops of a test: what ran, and a cache.
struct World {
  Mutex mutex;
  std::vector<std::string> ran;
  std::map<std::string, Outcome> cache;
  std::atomic<int> now{0};
  std::atomic<int> most{0};

  std::vector<std::string> all() {
    const MutexLock lock(mutex);
    return ran;
  }
};

using Body = std::function<Result<Outcome>(Sink&, const Cancellation&)>;

class FakeOp : public Op {
 public:
  FakeOp(World& world, std::string name, Body body = {})
      : world_(world), name_(std::move(name)), body_(std::move(body)) {}

  Result<std::string> key(const std::vector<std::string>& inputs) override {
    if (name_ == "bad-key") return fail(Kind::NotFound, "no key");
    std::string key = name_;
    for (const std::string& input : inputs) key += "(" + input + ")";
    return key;
  }
  Result<std::optional<Outcome>> cached(const std::string& key) override {
    const MutexLock lock(world_.mutex);
    const auto found = world_.cache.find(key);
    return found == world_.cache.end() ? std::optional<Outcome>() : std::optional(found->second);
  }
  Result<Outcome> run(const std::string& key, const std::vector<Outcome>& inputs, Sink& sink,
                      const Cancellation& cancellation) override {
    const int now = ++world_.now;
    for (int most = world_.most; now > most && !world_.most.compare_exchange_weak(most, now);) {
    }
    {
      const MutexLock lock(world_.mutex);
      world_.ran.push_back(name_);
    }
    Outcome outcome{.snapshot = name_};
    for (const Outcome& input : inputs) outcome.detail += input.snapshot;
    Result<Outcome> result = body_ ? body_(sink, cancellation) : Result<Outcome>(outcome);
    --world_.now;
    if (result.ok()) {
      const MutexLock lock(world_.mutex);
      world_.cache[key] = *result;
    }
    return result;
  }

 private:
  World& world_;
  std::string name_;
  Body body_;
};

class SolverTest : public testing::Test {
 protected:
  Node node(std::string name, std::vector<std::size_t> inputs = {}, Body body = {}) {
    return {std::make_unique<FakeOp>(world_, std::move(name), std::move(body)), std::move(inputs)};
  }
  template <typename... Nodes>
  std::unique_ptr<Solution> start(SolveOptions options, Nodes... nodes) {
    std::vector<Node> list;
    (list.push_back(std::move(nodes)), ...);
    return solver_.start(std::move(list), options, cancelled_);
  }
  Result<Outcome> follow(Solution& solution, std::size_t index) {
    return solution.follow(index, [this](Stream stream, std::string_view text) {
      printed_ += (stream == Stream::Error ? "E:" : "") + std::string(text);
    });
  }

  World world_;
  Solver solver_;
  std::atomic<bool> cancelled_{false};
  std::string printed_;
};

Outcome named(std::string name) { return {.snapshot = std::move(name)}; }

TEST_F(SolverTest, RunsAChainInOrder) {
  const auto solution = start({}, node("a"), node("b", {0}), node("c", {1}));
  const auto result = follow(*solution, 2);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->detail, "b");
  EXPECT_EQ(world_.all(), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(solution->key(2), "c(b(a))");
}

TEST_F(SolverTest, JoinsADiamond) {
  const auto solution = start({}, node("a"), node("b", {0}), node("c", {0}), node("d", {1, 2}));
  EXPECT_EQ(follow(*solution, 3)->detail, "bc");
  EXPECT_EQ(world_.all().size(), 4U);
}

TEST_F(SolverTest, RunsIndependentNodesAtOnce) {
  std::latch both(2);
  const Body body = [&both](Sink&, const Cancellation&) -> Result<Outcome> {
    both.arrive_and_wait();
    return named("x");
  };
  const auto solution = start({.width = 2}, node("a", {}, body), node("b", {}, body));
  EXPECT_TRUE(follow(*solution, 1).ok());
  EXPECT_TRUE(follow(*solution, 0).ok());
}

TEST_F(SolverTest, BranchesOpenUpBehindACommonBase) {
  std::latch both(2);
  const Body body = [&both](Sink&, const Cancellation&) -> Result<Outcome> {
    both.arrive_and_wait();
    return named("x");
  };
  const auto solution = start({.width = 2}, node("base"), node("a", {0}, body), node("b", {0}, body));
  EXPECT_TRUE(follow(*solution, 1).ok());
  EXPECT_TRUE(follow(*solution, 2).ok());
}

TEST_F(SolverTest, KeepsToTheWidth) {
  const auto solution = start({.width = 1}, node("a"), node("b"), node("c"), node("d"));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(follow(*solution, i).ok());
  EXPECT_EQ(world_.most, 1);
}

TEST_F(SolverTest, TakesWhatIsCached) {
  world_.cache["a"] = named("old");
  const auto solution = start({}, node("a"), node("b", {0}));
  EXPECT_EQ(solution->wait_started(0), Solution::Phase::Cached);
  EXPECT_EQ(follow(*solution, 0)->snapshot, "old");
  EXPECT_EQ(follow(*solution, 1)->detail, "old");
  EXPECT_EQ(solution->wait_started(1), Solution::Phase::Running);
  EXPECT_EQ(world_.all(), (std::vector<std::string>{"b"}));
}

TEST_F(SolverTest, NoCacheRunsAll) {
  world_.cache["a"] = named("old");
  const auto solution = start({.no_cache = true}, node("a"));
  EXPECT_EQ(follow(*solution, 0)->snapshot, "a");
}

TEST_F(SolverTest, TheSecondBuildRunsNothing) {
  EXPECT_TRUE(follow(*start({}, node("a"), node("b", {0})), 1).ok());
  EXPECT_TRUE(follow(*start({}, node("a"), node("b", {0})), 1).ok());
  EXPECT_EQ(world_.all().size(), 2U);
}

TEST_F(SolverTest, PassesOutputOn) {
  const auto solution = start({}, node("a", {}, [](Sink& sink, const Cancellation&) -> Result<Outcome> {
                                sink.write(Stream::Output, "one\n");
                                sink.write(Stream::Error, "two\n");
                                return named("a");
                              }));
  EXPECT_TRUE(follow(*solution, 0).ok());
  EXPECT_EQ(printed_, "one\nE:two\n");
  printed_.clear();
  EXPECT_TRUE(follow(*solution, 0).ok());
  EXPECT_EQ(printed_, "one\nE:two\n");
}

TEST_F(SolverTest, OutputArrivesWhileItRuns) {
  std::promise<void> seen;
  auto wait = seen.get_future().share();
  const auto solution = start({}, node("a", {}, [wait](Sink& sink, const Cancellation&) -> Result<Outcome> {
                                sink.write(Stream::Output, "first");
                                wait.wait();
                                return named("a");
                              }));
  const auto result = solution->follow(0, [&seen](Stream, std::string_view) { seen.set_value(); });
  EXPECT_TRUE(result.ok());
}

TEST_F(SolverTest, AFailureReachesAllThatFollows) {
  const Body bad = [](Sink& sink, const Cancellation&) -> Result<Outcome> {
    sink.write(Stream::Output, "last words");
    return Error(Kind::InvalidArgument, "broken", 3);
  };
  const auto solution = start({}, node("a", {}, bad), node("b", {0}), node("c", {1}), node("d"));
  const auto result = follow(*solution, 2);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().message(), "broken");
  EXPECT_EQ(result.error().code(), 3);
  EXPECT_EQ(solution->wait_started(2), Solution::Phase::Finished);
  EXPECT_TRUE(follow(*solution, 3).ok());
  EXPECT_EQ(follow(*solution, 0).error().message(), "broken");
  EXPECT_EQ(printed_, "last words");
}

TEST_F(SolverTest, AFailedInputOfADiamondSettlesOnce) {
  const Body bad = [](Sink&, const Cancellation&) -> Result<Outcome> { return fail(Kind::Internal, "no"); };
  const auto solution = start({}, node("a"), node("b", {0}, bad), node("c", {0}, bad), node("d", {1, 2}));
  EXPECT_FALSE(follow(*solution, 3).ok());
}

TEST_F(SolverTest, AKeyThatCannotBeMadeIsAFailure) {
  const auto solution = start({}, node("bad-key"), node("b", {0}));
  EXPECT_EQ(solution->wait_started(0), Solution::Phase::Finished);
  EXPECT_EQ(follow(*solution, 1).error().kind(), Kind::NotFound);
}

TEST_F(SolverTest, FailuresAreNotCached) {
  int runs = 0;
  const Body once = [&runs](Sink&, const Cancellation&) -> Result<Outcome> {
    if (++runs == 1) return fail(Kind::Internal, "no");
    return named("a");
  };
  EXPECT_FALSE(follow(*start({}, node("a", {}, once)), 0).ok());
  EXPECT_TRUE(follow(*start({}, node("a", {}, once)), 0).ok());
}

Body until_cancelled(std::promise<void>& started) {
  return [&started](Sink&, const Cancellation& cancellation) -> Result<Outcome> {
    started.set_value();
    while (!cancellation.requested()) std::this_thread::yield();
    return fail(Kind::Cancelled, "stopped");
  };
}

TEST_F(SolverTest, TheCallerCancels) {
  std::promise<void> started;
  const auto solution = start({}, node("a", {}, until_cancelled(started)), node("b", {0}));
  started.get_future().wait();
  cancelled_ = true;
  EXPECT_EQ(follow(*solution, 1).error().kind(), Kind::Cancelled);
}

TEST_F(SolverTest, CancelledBeforeTheStart) {
  cancelled_ = true;
  EXPECT_EQ(follow(*start({}, node("a")), 0).error().kind(), Kind::Cancelled);
  EXPECT_TRUE(world_.all().empty());
}

TEST_F(SolverTest, DroppingTheSolutionEndsIt) {
  std::promise<void> started;
  auto solution = start({}, node("a", {}, until_cancelled(started)), node("b", {0}));
  started.get_future().wait();
  solution.reset();
  EXPECT_EQ(world_.all(), (std::vector<std::string>{"a"}));
}

TEST_F(SolverTest, ConcurrentBuildsShareEqualWork) {
  std::promise<void> started;
  std::promise<void> go;
  auto gate = go.get_future().share();
  const Body slow = [&started, gate](Sink& sink, const Cancellation&) -> Result<Outcome> {
    sink.write(Stream::Output, "shared");
    started.set_value();
    gate.wait();
    return named("a");
  };
  const auto first = start({}, node("a", {}, slow));
  started.get_future().wait();
  const auto second = start({}, node("a", {}, slow));
  EXPECT_EQ(second->wait_started(0), Solution::Phase::Running);
  go.set_value();
  EXPECT_TRUE(follow(*second, 0).ok());
  EXPECT_EQ(printed_, "shared");
  EXPECT_TRUE(follow(*first, 0).ok());
  EXPECT_EQ(world_.all().size(), 1U);
}

TEST_F(SolverTest, NoCacheSharesNothing) {
  std::latch both(2);
  const Body body = [&both](Sink&, const Cancellation&) -> Result<Outcome> {
    both.arrive_and_wait();
    return named("a");
  };
  const auto first = start({.no_cache = true}, node("a", {}, body));
  const auto second = start({.no_cache = true}, node("a", {}, body));
  EXPECT_TRUE(follow(*first, 0).ok());
  EXPECT_TRUE(follow(*second, 0).ok());
}

TEST_F(SolverTest, ACancelledOwnerDoesNotTakeTheOthersAlong) {
  std::promise<void> started;
  std::atomic<bool> others_wish{false};
  std::vector<Node> nodes;
  nodes.push_back(node("a", {}, until_cancelled(started)));
  auto first = solver_.start(std::move(nodes), {}, cancelled_);
  started.get_future().wait();
  std::vector<Node> mine;
  mine.push_back(node("a"));
  const auto second = solver_.start(std::move(mine), {}, others_wish);
  second->wait_started(0);
  cancelled_ = true;
  EXPECT_EQ(follow(*second, 0)->snapshot, "a");
  EXPECT_FALSE(follow(*first, 0).ok());
}

TEST_F(SolverTest, SharedFailuresAreEverybodys) {
  std::promise<void> started;
  std::promise<void> go;
  auto gate = go.get_future().share();
  const Body bad = [&started, gate](Sink&, const Cancellation&) -> Result<Outcome> {
    started.set_value();
    gate.wait();
    return fail(Kind::Internal, "no");
  };
  const auto first = start({}, node("a", {}, bad));
  started.get_future().wait();
  const auto second = start({}, node("a", {}, bad));
  second->wait_started(0);
  go.set_value();
  EXPECT_FALSE(follow(*first, 0).ok());
  EXPECT_FALSE(follow(*second, 0).ok());
}

TEST_F(SolverTest, EqualNodesOfOneBuildRunOnce) {
  const auto solution = start({.width = 4}, node("a"), node("a"), node("a"));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(follow(*solution, i).ok());
  EXPECT_EQ(world_.all().size(), 1U);
}

TEST_F(SolverTest, WideAndDeep) {
  std::vector<Node> nodes;
  nodes.push_back(node("root"));
  for (int branch = 0; branch < 8; ++branch)
    for (int depth = 0; depth < 20; ++depth)
      nodes.push_back(node(fmt::format("{}-{}", branch, depth), {depth == 0 ? 0 : nodes.size() - 1}));
  const auto solution = solver_.start(std::move(nodes), {.width = 4}, cancelled_);
  for (std::size_t i = 0; i <= 160; ++i) ASSERT_TRUE(follow(*solution, i).ok());
  EXPECT_EQ(world_.all().size(), 161U);
  EXPECT_LE(world_.most, 4);
}

TEST_F(SolverTest, NothingToDo) { solver_.start({}, {}, cancelled_); }

}  // namespace
}  // namespace skiff::build
