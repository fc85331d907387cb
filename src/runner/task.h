#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.h"
#include "monitor/protocol.h"
#include "runner/link.h"
#include "runner/runner.h"

namespace skiff::runner {

Exit to_exit(const monitor::ExitStatus& status);

/// A Task over a Link.
class MonitorTask final : public Task {
 public:
  MonitorTask(std::string id, sys::Fd socket) : id_(std::move(id)), link_(id_, std::move(socket)) {}

  /// Makes the container through a monitor that was just started.
  Result<void> create(Bundle bundle, std::string run_directory, std::string seccomp_cache);
  /// Asks a monitor that has been there for longer how things stand.
  Result<monitor::StateReply> take_over();
  void set_monitor_pid(pid_t pid) { monitor_pid_ = pid; }

  Link& link() { return link_; }
  const std::string& state_directory() const { return state_directory_; }
  /// Of the first process; invalid when it had ended already.
  const sys::Fd& pidfd() const { return pidfd_; }
  bool released() const { return released_; }
  /// Whether a caller has this Task: only then its end is an event.
  bool established() const { return established_; }
  void establish() { established_ = true; }
  /// True once: the end of a container is told only once.
  bool first_end() { return !end_told_.exchange(true); }

  const std::string& id() const override { return id_; }
  pid_t pid() const override { return pid_; }
  pid_t monitor_pid() const override { return monitor_pid_; }
  bool has_started() const override { return started_; }
  Result<sys::Fd> network_namespace() override;
  Result<void> start() override;
  Result<void> kill(int signal) override;
  Result<void> resize(std::uint16_t columns, std::uint16_t rows) override;
  Result<void> attach(Attachment attachment) override;
  Result<void> pause() override;
  Result<void> resume() override;
  Result<void> update(const spec::oci::Resources& resources) override;
  Result<std::string> stats() override;
  Result<std::vector<pid_t>> processes() override;
  Result<pid_t> exec(ExecRequest request) override;
  Result<void> resize_exec(const std::string& exec_id, std::uint16_t columns, std::uint16_t rows) override;
  Result<void> kill_exec(const std::string& exec_id, int signal) override;
  Result<void> keep(const std::string& name, const std::vector<int>& fds) override;
  Result<std::vector<sys::Fd>> kept(const std::string& name) override;
  Result<void> release() override;

 private:
  std::chrono::milliseconds quick() const;
  std::chrono::milliseconds slow() const;
  template <typename Request>
  Result<void> command(std::string_view type, const Request& request);

  const std::string id_;
  Link link_;
  // Set before the task is known to more than one thread:
  std::string state_directory_;
  bool others_ = false;  ///< an external runtime or systemd has a part in it, and takes its time
  pid_t pid_ = 0;
  pid_t monitor_pid_ = 0;
  sys::Fd pidfd_;

  std::atomic<bool> started_ = false;
  std::atomic<bool> released_ = false;
  std::atomic<bool> established_ = false;
  std::atomic<bool> end_told_ = false;
  Mutex mutex_;
  /// From the creation to the start only: a namespace that the daemon holds open would outlive its container.
  sys::Fd network_namespace_ GUARDED_BY(mutex_);
};

}  // namespace skiff::runner
