#pragma once

#include <condition_variable>
#include <csignal>
#include <map>
#include <set>

#include "base/thread.h"
#include "runner/runner.h"

namespace skiff::engine::testing {

/// A container without kernel: it runs until a test ends it, or a signal that kills does.
class FakeTask final : public runner::Task {
 public:
  FakeTask(std::string id, std::function<void(runner::Event)> listener, runner::Bundle wanted)
      : bundle(std::move(wanted)), id_(std::move(id)), listener_(std::move(listener)) {}

  const std::string& id() const override { return id_; }
  pid_t pid() const override { return 4242; }
  pid_t monitor_pid() const override { return 4241; }
  bool has_started() const override { return !half_made; }
  Result<sys::Fd> network_namespace() override { return sys::Fd(::dup(0)); }

  Result<void> start() override {
    if (start_error) return *start_error;
    started = true;
    if (ends_at_once) end(*ends_at_once);
    return {};
  }
  Result<void> kill(int signal) override {
    signals.push_back(signal);
    if (!started || over) return Error(Kind::NotFound, "no such process");
    if (signal == SIGKILL || !ignores.contains(signal)) end(128 + signal);
    return {};
  }
  Result<void> resize(std::uint16_t, std::uint16_t) override { return {}; }
  Result<void> attach(runner::Attachment) override {
    ++attached;
    return {};
  }
  Result<void> pause() override { return {}; }
  Result<void> resume() override { return {}; }
  Result<void> update(const spec::oci::Resources& resources) override {
    updated = resources;
    return {};
  }
  Result<std::string> stats() override { return std::string(R"({"cpu":{"total":5}})"); }
  Result<std::vector<pid_t>> processes() override { return std::vector<pid_t>{pid()}; }
  Result<pid_t> exec(runner::ExecRequest request) override {
    if (exec_error) return *exec_error;
    execs.push_back(request.process.args);
    runner::Event event;
    event.type = runner::Event::Type::ExecExited;
    event.container = id_;
    event.exec = request.id;
    event.exit.code = exec_code;
    event.exit.finished = now();
    listener_(event);
    return 5;
  }
  Result<void> resize_exec(const std::string&, std::uint16_t, std::uint16_t) override { return {}; }
  Result<void> kill_exec(const std::string&, int) override { return {}; }
  Result<void> keep(const std::string& name, const std::vector<int>& fds) override {
    kept_names[name] = fds.size();
    return {};
  }
  Result<std::vector<sys::Fd>> kept(const std::string& name) override {
    std::vector<sys::Fd> fds;
    for (std::size_t i = 0; i < kept_names[name]; ++i) fds.emplace_back(::dup(0));
    return fds;
  }
  Result<void> release() override {
    ++released;
    return {};
  }

  /// The program ends with this code.
  void end(int code) {
    over = true;
    runner::Event event;
    event.container = id_;
    event.exit.code = code;
    event.exit.started = now();
    event.exit.finished = now();
    listener_(event);
  }

  runner::Bundle bundle;
  std::optional<Error> start_error;
  std::optional<Error> exec_error;
  std::optional<int> ends_at_once;
  int exec_code = 0;
  std::set<int> ignores;
  bool half_made = false;  ///< its daemon died before the start
  std::atomic<bool> started = false;
  std::atomic<bool> over = false;
  std::atomic<int> released = 0;
  int attached = 0;
  std::vector<int> signals;
  std::vector<std::vector<std::string>> execs;
  std::optional<spec::oci::Resources> updated;
  std::map<std::string, std::size_t> kept_names;

 private:
  std::string id_;
  std::function<void(runner::Event)> listener_;
};

class FakeRunner final : public runner::Runner {
 public:
  std::function<void(runner::Event)> listener;
  std::function<void(FakeTask&)> prepare;  ///< what a test wants of the next tasks
  std::optional<Error> create_error;
  std::map<std::string, std::shared_ptr<FakeTask>> tasks;
  std::map<std::string, std::shared_ptr<FakeTask>> survivors;  ///< that recover() finds

  Result<std::shared_ptr<runner::Task>> create(const std::string& id,
                                               const std::function<Result<runner::Bundle>()>& make) override {
    runner::Bundle bundle = TRY(make());
    if (create_error) return *create_error;
    auto task = std::make_shared<FakeTask>(id, listener, std::move(bundle));
    if (prepare) prepare(*task);
    tasks[id] = task;
    if (!task->bundle.start) return std::shared_ptr<runner::Task>(task);
    if (auto started = task->start(); !started.ok()) {
      task->released = true;  // create() undoes all of it
      return std::move(started).error();
    }
    return std::shared_ptr<runner::Task>(task);
  }
  void prepare_next() override {}
  Result<std::shared_ptr<runner::Task>> recover(const std::string& id) override {
    const auto found = survivors.find(id);
    if (found == survivors.end()) return Error(Kind::NotFound, "no monitor");
    return std::shared_ptr<runner::Task>(found->second);
  }
  Result<std::vector<std::string>> monitors() override {
    std::vector<std::string> ids;
    for (const auto& [id, task] : survivors) ids.push_back(id);
    return ids;
  }
};

}  // namespace skiff::engine::testing
