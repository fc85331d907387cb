#include "build/solver/solver.h"

#include <algorithm>
#include <deque>
#include <thread>

namespace skiff::build {
namespace {

/// The caller's wish to cancel is a plain flag, so waits look at it now and then.
constexpr std::chrono::milliseconds kTick{50};

std::chrono::steady_clock::time_point next_tick() { return std::chrono::steady_clock::now() + kTick; }

Error cancelled_error() { return Error(Kind::Cancelled, "build cancelled"); }

/// One piece of work being done, for every build that wants it.
struct Flight {
  std::shared_ptr<OutputLog> log = std::make_shared<OutputLog>();
  Mutex mutex;
  std::condition_variable done;
  std::optional<Result<Outcome>> result GUARDED_BY(mutex);
};

}  // namespace

struct Solver::Flights {
  Mutex mutex;
  std::map<std::string, std::shared_ptr<Flight>> by_key GUARDED_BY(mutex);
};

namespace {

class RunningSolution : public Solution {
 public:
  RunningSolution(std::vector<Node> nodes, SolveOptions options, std::shared_ptr<Solver::Flights> flights,
                  const std::atomic<bool>& cancelled)
      : nodes_(std::move(nodes)),
        options_(options),
        flights_(std::move(flights)),
        cancellation_(cancelled, stop_),
        states_(nodes_.size()) {
    if (options_.width == 0) options_.width = std::max(2U, std::thread::hardware_concurrency());
    const MutexLock lock(mutex_);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      states_[i].missing = nodes_[i].inputs.size();
      for (const std::size_t input : nodes_[i].inputs) states_[input].dependents.push_back(i);
      if (nodes_[i].inputs.empty()) ready_.push_back(i);
    }
    add_workers();
  }

  ~RunningSolution() override {
    stop_ = true;
    std::vector<std::thread> workers;
    {
      const MutexLock lock(mutex_);
      workers.swap(workers_);  // from here on no worker adds another: see add_workers()
      work_.notify_all();
    }
    for (std::thread& worker : workers) worker.join();
  }

  Phase wait_started(std::size_t node) override {
    MutexLock lock(mutex_);
    while (states_[node].phase == Phase::Waiting) lock.wait(changed_);
    return states_[node].phase;
  }

  std::string key(std::size_t node) override {
    const MutexLock lock(mutex_);
    return states_[node].key;
  }

  Result<Outcome> follow(std::size_t node,
                         const std::function<void(Stream, std::string_view)>& print) override {
    wait_started(node);
    std::shared_ptr<OutputLog> log;
    {
      const MutexLock lock(mutex_);
      log = states_[node].log;
    }
    for (std::size_t i = 0; log;) {
      const auto read = log->read(i, next_tick());
      if (read.chunk) {
        print(read.chunk->stream, read.chunk->text);
        ++i;
      } else if (read.closed) {
        break;
      }
    }
    MutexLock lock(mutex_);
    while (!states_[node].result) lock.wait(changed_);
    return *states_[node].result;
  }

 private:
  struct State {
    Phase phase = Phase::Waiting;
    std::size_t missing = 0;
    std::vector<std::size_t> dependents;
    std::string key;
    std::shared_ptr<OutputLog> log;
    std::optional<Result<Outcome>> result;
  };

  /// One thread for each node that could run now, as far as the width goes.
  void add_workers() REQUIRES(mutex_) {
    while (!stop_ && workers_.size() < options_.width && idle_ < ready_.size()) {
      ++idle_;
      workers_.emplace_back([this] { work(); });
    }
    work_.notify_all();
  }

  void work() {
    while (const auto node = take()) evaluate(*node);
  }

  /// The next node to run; nothing when there will be none.
  std::optional<std::size_t> take() {
    MutexLock lock(mutex_);
    while (ready_.empty() && !stop_ && finished_ < nodes_.size()) lock.wait(work_);
    if (ready_.empty()) return std::nullopt;
    const std::size_t node = ready_.front();
    ready_.pop_front();
    --idle_;
    return node;
  }

  void evaluate(std::size_t node) {
    std::vector<std::string> keys;
    std::vector<Outcome> inputs;
    {
      const MutexLock lock(mutex_);
      for (const std::size_t input : nodes_[node].inputs) {
        keys.push_back(states_[input].key);
        inputs.push_back(**states_[input].result);
      }
    }
    finish(node, solve(node, keys, inputs));
  }

  Result<Outcome> solve(std::size_t node, const std::vector<std::string>& keys,
                        const std::vector<Outcome>& inputs) {
    if (cancellation_.requested()) return cancelled_error();
    Op& op = *nodes_[node].op;
    const std::string key = TRY(op.key(keys));
    {
      const MutexLock lock(mutex_);
      states_[node].key = key;
    }
    if (options_.no_cache) {
      const auto log = std::make_shared<OutputLog>();
      set_phase(node, Phase::Running, log);
      auto result = op.run(key, inputs, *log, cancellation_);
      log->close();
      return result;
    }
    while (true) {
      if (auto cached = TRY(op.cached(key))) {
        set_phase(node, Phase::Cached, nullptr);
        return *std::move(cached);
      }
      auto [flight, mine] = board(key);
      auto result = mine ? fly(node, key, inputs, *flight) : wait_for(node, *flight);
      // Whoever ran it was cancelled, but this build was not: do it here.
      if (!mine && !result.ok() && result.error().kind() == Kind::Cancelled && !cancellation_.requested())
        continue;
      return result;
    }
  }

  std::pair<std::shared_ptr<Flight>, bool> board(const std::string& key) {
    const MutexLock lock(flights_->mutex);
    auto& flight = flights_->by_key[key];
    const bool mine = !flight;
    if (mine) flight = std::make_shared<Flight>();
    return {flight, mine};
  }

  Result<Outcome> fly(std::size_t node, const std::string& key, const std::vector<Outcome>& inputs,
                      Flight& flight) {
    Op& op = *nodes_[node].op;
    // Another build may have landed between the look into the cache and boarding.
    auto cached = op.cached(key);
    Result<Outcome> result = cancelled_error();
    if (!cached.ok()) {
      result = cached.error();
    } else if (*cached) {
      set_phase(node, Phase::Cached, nullptr);
      result = **cached;
    } else {
      set_phase(node, Phase::Running, flight.log);
      result = op.run(key, inputs, *flight.log, cancellation_);
    }
    {
      const MutexLock lock(flights_->mutex);
      flights_->by_key.erase(key);
    }
    flight.log->close();
    const MutexLock lock(flight.mutex);
    flight.result = result;
    flight.done.notify_all();
    return result;
  }

  Result<Outcome> wait_for(std::size_t node, Flight& flight) {
    set_phase(node, Phase::Running, flight.log);
    MutexLock lock(flight.mutex);
    while (!flight.result) {
      if (cancellation_.requested()) return cancelled_error();
      lock.wait_until(flight.done, next_tick());
    }
    return *flight.result;
  }

  void set_phase(std::size_t node, Phase phase, std::shared_ptr<OutputLog> log) {
    const MutexLock lock(mutex_);
    states_[node].phase = phase;
    states_[node].log = std::move(log);
    changed_.notify_all();
  }

  void finish(std::size_t node, Result<Outcome> result) {
    const MutexLock lock(mutex_);
    std::deque<std::size_t> failed;
    settle(node, std::move(result));
    if (states_[node].result->ok()) {
      for (const std::size_t dependent : states_[node].dependents)
        if (--states_[dependent].missing == 0 && !states_[dependent].result) ready_.push_back(dependent);
    } else {
      failed.push_back(node);
    }
    while (!failed.empty()) {
      const std::size_t from = failed.front();
      failed.pop_front();
      for (const std::size_t dependent : states_[from].dependents) {
        if (states_[dependent].result) continue;
        settle(dependent, *states_[from].result);
        failed.push_back(dependent);
      }
    }
    ++idle_;  // the worker that is here
    add_workers();
    changed_.notify_all();
  }

  void settle(std::size_t node, Result<Outcome> result) REQUIRES(mutex_) {
    State& state = states_[node];
    if (state.phase != Phase::Cached)
      state.phase = state.phase == Phase::Running ? Phase::Running : Phase::Finished;
    state.result = std::move(result);
    ++finished_;
  }

  std::vector<Node> nodes_;
  SolveOptions options_;
  std::shared_ptr<Solver::Flights> flights_;
  std::atomic<bool> stop_{false};
  Cancellation cancellation_;
  Mutex mutex_;
  std::condition_variable work_;
  std::condition_variable changed_;
  std::vector<State> states_ GUARDED_BY(mutex_);
  std::deque<std::size_t> ready_ GUARDED_BY(mutex_);
  std::size_t finished_ GUARDED_BY(mutex_) = 0;
  std::size_t idle_ GUARDED_BY(mutex_) = 0;
  std::vector<std::thread> workers_;
};

}  // namespace

Solver::Solver() : flights_(std::make_shared<Flights>()) {}
Solver::~Solver() = default;

std::unique_ptr<Solution> Solver::start(std::vector<Node> nodes, SolveOptions options,
                                        const std::atomic<bool>& cancelled) {
  return std::make_unique<RunningSolution>(std::move(nodes), options, flights_, cancelled);
}

}  // namespace skiff::build
