#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "monitor/backend.h"
#include "monitor/connection.h"
#include "monitor/exec_session.h"
#include "monitor/log_driver.h"
#include "monitor/loop.h"
#include "monitor/protocol.h"
#include "monitor/streams.h"

namespace skiff::monitor {

/// One container's keeper: makes it, serves its streams, records its end, and answers a daemon, whichever is
/// there. docs/monitor.md tells the life cycle:
///
///     Empty --create--> Created --start--> Running --pid 1 ends--> Ending --output read, record on disk-->
///     Exited
///
/// It ends after "release", or by itself once nobody is connected and the record is on disk.
class Monitor {
 public:
  enum class Phase { Empty, Created, Running, Ending, Exited };

  /// `title` is where this process's command line has a word for the container's id, of the length of ids.
  Monitor(Loop& loop, BackendFactory backends, std::span<char> title);
  ~Monitor();

  /// Serves the daemon at the other end of `daemon`; run the loop then.
  Result<void> open(sys::Fd daemon);

 private:
  struct Answer {
    json::Value body = json::Object();
    std::vector<sys::Fd> fds;
    bool later = false;  ///< the answer comes by itself, by reply()
  };
  struct Verb {
    std::string_view name;
    Result<Answer> (Monitor::*serve)(Message&);
  };
  static const Verb kVerbs[];

  void serve(Message message);
  void reply(std::uint64_t request, Result<Answer> answer);
  void take_notice(Message& message);
  Result<Answer> dispatch(Message& message);
  Result<Answer> create(Message& message);
  Result<Answer> state(Message& message);
  Result<Answer> network_namespace(Message& message);
  Result<Answer> start(Message& message);
  Result<Answer> signal(Message& message);
  Result<Answer> resize(Message& message);
  Result<Answer> attach(Message& message);
  Result<Answer> pause(Message& message);
  Result<Answer> resume(Message& message);
  Result<Answer> update(Message& message);
  Result<Answer> stats(Message& message);
  Result<Answer> processes(Message& message);
  Result<Answer> exec(Message& message);
  Result<Answer> keep(Message& message);
  Result<Answer> kept(Message& message);
  Result<Answer> release(Message& message);

  Result<void> prepare(CreateRequest& request);
  Result<void> make_container(CreateRequest& request);
  Result<void> run_program();
  Result<void> connect(sys::Fd socket);
  void accept_daemon();
  void push(std::string_view event, const EventMessage& body);
  Result<void> require_live() const;
  Result<ExecSession*> find_exec(const std::string& id);

  void container_ended();
  void output_drained();
  void record_exit();
  Result<void> write_record();
  void remove_container();
  void exec_advances(StartingExec& starting);
  Result<Answer> exec_started(StartingExec& starting);
  void give_up_exec(StartingExec& starting);
  void answer_exec(StartingExec& starting, Result<Answer> answer);
  void exec_ended(ExecSession& session);
  void exec_drained(ExecSession& session);
  void finish_exec(ExecSession& session);
  void finish_ended_execs();
  void forget_old_execs();
  void look_for_oom();
  void disconnected(std::uint64_t number);
  void end();
  void end_when_clients_left();
  void flush_log();

  Loop& loop_;
  const BackendFactory backends_;
  std::unique_ptr<Backend> backend_;  ///< from the creation on
  const std::span<char> title_;
  Phase phase_ = Phase::Empty;
  bool paused_ = false;
  bool removed_ = false;  ///< the container's cgroup is gone
  bool ending_ = false;   ///< end() was called: the container is gone from disk, clients may still be served

  std::string id_;
  std::string run_directory_;
  std::string state_directory_;
  std::string runtime_;  ///< name of an external one
  std::string unit_;     ///< systemd's
  bool open_stdin_ = false;
  bool ephemeral_ = false;
  ExitStatus exit_;
  std::uint64_t oom_kills_ = 0;

  std::unique_ptr<LogDriver> log_;
  bool log_dirty_ = false;
  bool log_failed_ = false;
  std::unique_ptr<Streams> streams_;
  std::unique_ptr<Loop::Watch> process_watch_;
  sys::Fd oom_fd_;
  std::unique_ptr<Loop::Watch> oom_watch_;
  std::unique_ptr<Loop::Timer> retry_timer_;
  std::unique_ptr<Loop::Timer> last_timer_;

  sys::Fd listener_;
  std::unique_ptr<Loop::Watch> listener_watch_;
  std::unique_ptr<Connection> connection_;
  std::uint64_t connection_number_ = 0;  ///< each daemon that comes gets the next one

  std::vector<std::unique_ptr<StartingExec>> starting_execs_;
  std::vector<std::unique_ptr<ExecSession>> execs_;
  std::map<std::string, std::vector<sys::Fd>> kept_;
};

}  // namespace skiff::monitor
