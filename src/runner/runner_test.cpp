// Containers through the real skiff-monitor, as root, in a cgroup and directories of their own.
#include "runner/runner.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <set>
#include <thread>

#include "base/ids.h"
#include "base/strings.h"
#include "base/thread.h"
#include "monitor/log_reader.h"
#include "monitor/protocol.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace skiff::runner {
namespace {

using namespace std::chrono_literals;

/// Collects events and lets a test wait for one.
class Events {
 public:
  void add(Event event) {
    const MutexLock lock(mutex_);
    all_.push_back(std::move(event));
    arrived_.notify_all();
  }

  std::optional<Event> wait(Event::Type type, const std::string& container, const std::string& exec = "") {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    MutexLock lock(mutex_);
    while (true) {
      for (const Event& event : all_) {
        if (event.type == type && event.container == container && event.exec == exec) return event;
      }
      if (!lock.wait_until(arrived_, deadline)) return std::nullopt;
    }
  }

  bool has(Event::Type type, const std::string& exec) {
    const MutexLock lock(mutex_);
    return std::any_of(all_.begin(), all_.end(),
                       [&](const Event& event) { return event.type == type && event.exec == exec; });
  }

  void clear() {
    const MutexLock lock(mutex_);
    all_.clear();
  }

 private:
  Mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Event> all_ GUARDED_BY(mutex_);
};

/// The test's end of an attached client.
struct Peer {
  sys::Fd fd;

  std::string read_all() const {
    std::string text;
    char buffer[65536];
    while (true) {
      pollfd readable{.fd = fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, 20000) <= 0) return text + "<timeout>";
      const ssize_t count = ::read(fd.get(), buffer, sizeof(buffer));
      if (count <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(count));
    }
  }
  std::string read_until(std::string_view wanted) const {
    std::string text;
    char buffer[65536];
    while (text.find(wanted) == std::string::npos) {
      pollfd readable{.fd = fd.get(), .events = POLLIN, .revents = 0};
      if (::poll(&readable, 1, 20000) <= 0) return text + "<timeout>";
      const ssize_t count = ::read(fd.get(), buffer, sizeof(buffer));
      if (count <= 0) return text + "<end>";
      text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
  }
  void write(std::string_view text) const { EXPECT_TRUE(sys::write_all(fd, text).ok()); }
  /// Whether the other side has closed, now.
  bool closed() const {
    pollfd state{.fd = fd.get(), .events = POLLRDHUP, .revents = 0};
    return ::poll(&state, 1, 0) > 0;
  }
  void end_input() const { ::shutdown(fd.get(), SHUT_WR); }
};

std::string frame(char stream, std::string_view bytes) {
  std::string text{stream, 0, 0, 0, 0, 0, 0, static_cast<char>(bytes.size())};
  return text.append(bytes);
}

class RunnerTest : public testing::Test {
 protected:
  RunnerTest() : directory_("/tmp/monitor-runner-test-" + random_hex(6)) {
    for (const char* folder : {"bin", "proc", "dev", "sys", "tmp", "etc"}) {
      EXPECT_TRUE(sys::make_directories(directory_ + "/rootfs/" + folder).ok());
    }
    std::error_code error;
    std::filesystem::copy_file("/usr/bin/busybox", directory_ + "/rootfs/bin/busybox", error);
    EXPECT_FALSE(error) << "busybox-static is needed: " << error.message();
    for (const char* name : {"sh", "cat", "echo", "sleep", "true", "seq", "kill", "stty", "head", "yes"}) {
      ::symlink("busybox", (directory_ + "/rootfs/bin/" + name).c_str());
    }
    config_.monitor_program =
        std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bin/skiff-monitor";
    config_.exec_root = directory_ + "/run";
    config_.cgroup_parent = "skiff-test-" + random_hex(4);
    open();
  }

  ~RunnerTest() override {
    for (const auto& task : tasks_) {
      (void)task->kill(SIGKILL);
      if (!task->release()) {
        events_.wait(Event::Type::Exited, task->id());
        (void)task->release();
      }
    }
    for (const auto& task : tasks_) EXPECT_TRUE(gone(task->monitor_pid()));
    tasks_.clear();
    runner_.reset();
    if (auto layout = sys::CgroupLayout::detect()) (void)sys::Cgroup(*layout, config_.cgroup_parent).remove();
    EXPECT_TRUE(sys::remove_tree(directory_).ok());
  }

  void open() {
    auto opened = Runner::open(config_, [this](Event event) {
      if (before_event_) before_event_(event);
      events_.add(std::move(event));
    });
    ASSERT_TRUE(opened.ok()) << opened.error().message();
    runner_ = *std::move(opened);
  }
  /// As after kill -9 of the daemon: its sockets close, nothing else happens.
  void lose_daemon() {
    tasks_.clear();
    runner_.reset();
    events_.clear();
  }

  static bool gone(pid_t pid) {
    for (int i = 0; i < 200; ++i) {
      (void)::waitpid(pid, nullptr, WNOHANG);  // a monitor whose runner was dropped is still our child
      if (::kill(pid, 0) != 0) return true;
      ::poll(nullptr, 0, 20);
    }
    return false;
  }

  Bundle bundle(std::vector<std::string> arguments) {
    Bundle made;
    made.id = random_id();
    auto& process = made.config.process.emplace();
    process.args = std::move(arguments);
    process.env = {"PATH=/bin"};
    made.config.root = spec::oci::Root{.path = directory_ + "/rootfs", .readonly = false};
    made.config.mounts.emplace_back("/proc", "proc", "proc", std::vector<std::string>{});
    made.config.mounts.emplace_back("/dev", "tmpfs", "tmpfs", std::vector<std::string>{"mode=755"});
    made.config.mounts.emplace_back("/dev/pts", "devpts", "devpts",
                                    std::vector<std::string>{"newinstance", "ptmxmode=0666", "mode=0620"});
    auto& part = made.config.linux_.emplace();
    part.cgroups_path = "/" + config_.cgroup_parent + "/" + made.id;
    for (const char* type : {"pid", "mount", "ipc", "uts", "network"}) part.namespaces.push_back({type, ""});
    made.state_directory = directory_ + "/state/" + made.id;
    made.log.directory = made.state_directory + "/log";
    return made;
  }

  Peer attach_to(std::vector<Attachment>& list, Attachment attachment = {}) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    attachment.client = sys::Fd(ends[0]);
    list.push_back(std::move(attachment));
    return Peer{sys::Fd(ends[1])};
  }

  std::shared_ptr<Task> create(Bundle made) {
    const std::string id = made.id;
    auto task = runner_->create(id, [&]() -> Result<Bundle> { return std::move(made); });
    EXPECT_TRUE(task.ok()) << task.error().message();
    if (!task.ok()) return nullptr;
    tasks_.push_back(*task);
    return *task;
  }
  std::shared_ptr<Task> run(Bundle made) {
    auto task = create(std::move(made));
    if (!task) return nullptr;
    const auto started = task->start();
    EXPECT_TRUE(started.ok()) << started.error().message();
    return task;
  }
  Exit exit_of(const Task& task) {
    const auto event = events_.wait(Event::Type::Exited, task.id());
    EXPECT_TRUE(event.has_value());
    return event ? event->exit : Exit{};
  }

  static std::string log_of(const std::string& state_directory, monitor::LogQuery query = {}) {
    std::string text;
    auto reader = monitor::LogReader::open(state_directory + "/log", query);
    EXPECT_TRUE(reader.ok());
    while (true) {
      auto record = reader->next();
      EXPECT_TRUE(record.ok());
      if (!record.ok() || !record->has_value()) return text;
      text.append((*record)->bytes);
      if (!(*record)->partial) text.push_back('\n');
    }
  }

  std::string directory_;
  spec::EngineConfig config_;
  Events events_;
  std::function<void(const Event&)> before_event_;  ///< set while nothing happens that could call it
  std::unique_ptr<Runner> runner_;
  std::vector<std::shared_ptr<Task>> tasks_;
};

TEST_F(RunnerTest, RunsAndTellsOutputAndCode) {
  auto made = bundle({"sh", "-c", "echo out; echo err >&2; exit 7"});
  const auto state = made.state_directory;
  const Peer peer = attach_to(made.attachments);
  const auto task = run(std::move(made));
  ASSERT_TRUE(task);
  const Exit exit = exit_of(*task);
  EXPECT_EQ(exit.code, 7);
  EXPECT_FALSE(exit.oom_killed);
  EXPECT_LE(exit.started, exit.finished);
  const std::string seen = peer.read_all();
  EXPECT_TRUE(seen == frame(1, "out\n") + frame(2, "err\n") || seen == frame(2, "err\n") + frame(1, "out\n"));
  EXPECT_EQ(log_of(state, {.standard_error = false}), "out\n");
  EXPECT_EQ(log_of(state, {.standard_output = false}), "err\n");
  const auto record = Runner::exit_record(state);
  ASSERT_TRUE(record.ok() && record->has_value());
  EXPECT_EQ((*record)->code, 7);
  EXPECT_EQ((*record)->finished, exit.finished);
  EXPECT_TRUE(task->release().ok());
  EXPECT_TRUE(task->release().ok());
  EXPECT_TRUE(runner_->monitors()->empty());
}

TEST_F(RunnerTest, MissingProgramIs127AndLeavesNothing) {
  auto made = bundle({"no-such-program"});
  const auto state = made.state_directory;
  const auto task = create(std::move(made));
  ASSERT_TRUE(task);
  const auto started = task->start();
  ASSERT_FALSE(started.ok());
  EXPECT_EQ(started.error().kind(), Kind::NotFound);
  EXPECT_NE(started.error().message().find("executable file not found in $PATH"), std::string::npos);
  const auto record = Runner::exit_record(state);
  ASSERT_TRUE(record.ok() && record->has_value());
  EXPECT_EQ((*record)->code, 127);
  EXPECT_TRUE(task->release().ok());
  EXPECT_TRUE(gone(task->monitor_pid()));
}

/// CVE-2019-5736: a container that gets hold of the program that made it must not be able to change it.
TEST_F(RunnerTest, TheMonitorsImageCannotBeWrittenTo) {
  const auto task = create(bundle({"sleep", "100"}));
  ASSERT_TRUE(task);
  struct statvfs image = {};
  ASSERT_EQ(::statvfs(fmt::format("/proc/{}/exe", task->monitor_pid()).c_str(), &image), 0);
  const sys::Fd copy(::open(fmt::format("/proc/{}/exe", task->monitor_pid()).c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_TRUE((image.f_flag & ST_RDONLY) != 0 || (::fcntl(copy.get(), F_GET_SEALS) & F_SEAL_WRITE) != 0);
}

TEST_F(RunnerTest, FailedCreateLeavesNothing) {
  auto made = bundle({"true"});
  made.config.mounts.emplace_back("/x", "no-such-file-system", "x", std::vector<std::string>{});
  const std::string id = made.id;
  auto created = runner_->create(id, [&]() -> Result<Bundle> { return std::move(made); });
  ASSERT_FALSE(created.ok());
  EXPECT_TRUE(sys::list_directory(config_.exec_root + "/containers")->empty());

  created = runner_->create(id, []() -> Result<Bundle> { return Error(Kind::Conflict, "no bundle"); });
  ASSERT_FALSE(created.ok());
  EXPECT_EQ(created.error().message(), "no bundle");
  EXPECT_TRUE(sys::list_directory(config_.exec_root + "/containers")->empty());
}

TEST_F(RunnerTest, WhatAKilledDaemonLeftIsFoundAndRemoved) {
  const std::string left = config_.exec_root + "/containers/half";
  ASSERT_TRUE(sys::make_directories(left).ok());
  ASSERT_TRUE(sys::replace_file(left + "/monitor.log", "").ok());
  EXPECT_EQ(*runner_->monitors(), std::vector<std::string>{"half"});
  EXPECT_EQ(runner_->recover("half").error().kind(), Kind::NotFound);
  EXPECT_FALSE(sys::exists(left));
}

TEST_F(RunnerTest, StdinHalfCloseEndsTheProgramsInput) {
  auto made = bundle({"cat"});
  made.open_stdin = true;
  made.stdin_once = true;
  const Peer peer =
      attach_to(made.attachments, {.early_input = "early ", .standard_input = true, .multiplexed = false});
  const auto task = run(std::move(made));
  ASSERT_TRUE(task);
  peer.write("hello");
  peer.end_input();
  EXPECT_EQ(peer.read_all(), "early hello");
  EXPECT_EQ(exit_of(*task).code, 0);
}

TEST_F(RunnerTest, LargeInputPassesThrough) {
  auto made = bundle({"cat"});
  made.open_stdin = true;
  made.stdin_once = true;
  made.log.driver = "none";
  const Peer peer = attach_to(made.attachments, {.standard_input = true, .multiplexed = false});
  const auto task = run(std::move(made));
  ASSERT_TRUE(task);
  const std::string text(8 << 20, 'x');
  std::thread writer([&] {
    peer.write(text);
    peer.end_input();
  });
  EXPECT_EQ(peer.read_all().size(), text.size());
  writer.join();
  EXPECT_EQ(exit_of(*task).code, 0);
}

TEST_F(RunnerTest, LateClientAndDetachKeys) {
  auto made = bundle({"cat"});
  made.open_stdin = true;
  const auto task = run(std::move(made));
  ASSERT_TRUE(task);
  std::vector<Attachment> list;
  const Peer first =
      attach_to(list, {.standard_input = true, .multiplexed = false, .detach_keys = "\x10\x11"});
  const Peer second = attach_to(list);
  for (auto& attachment : list) ASSERT_TRUE(task->attach(std::move(attachment)).ok());
  first.write("one\n");
  EXPECT_EQ(first.read_until("one\n"), "one\n");
  EXPECT_EQ(second.read_until("one\n"), frame(1, "one\n"));
  first.write("\x10\x11");
  EXPECT_EQ(first.read_all(), "");
  ASSERT_TRUE(task->kill(SIGKILL).ok());
  EXPECT_EQ(exit_of(*task).code, 137);
  EXPECT_EQ(second.read_all(), "");
  EXPECT_EQ(task->kill(SIGKILL).error().kind(), Kind::NotFound);
}

TEST_F(RunnerTest, TerminalOfAContainer) {
  auto made = bundle({"sh", "-c", "stty size; read line; echo got $line; exit 3"});
  made.config.process->terminal = true;
  made.open_stdin = true;
  made.stdin_once = true;
  const Peer peer = attach_to(made.attachments, {.standard_input = true, .multiplexed = false});
  const auto task = create(std::move(made));
  ASSERT_TRUE(task);
  ASSERT_TRUE(task->resize(101, 37).ok());
  ASSERT_TRUE(task->start().ok());
  EXPECT_EQ(peer.read_until("37 101\r\n"), "37 101\r\n");
  peer.write("it\n");
  EXPECT_NE(peer.read_all().find("got it\r\n"), std::string::npos);
  EXPECT_EQ(exit_of(*task).code, 3);
}

TEST_F(RunnerTest, ManyExecsAtOnce) {
  const auto task = run(bundle({"sleep", "1000"}));
  ASSERT_TRUE(task);
  std::vector<Peer> peers;
  for (int i = 0; i < 10; ++i) {
    ExecRequest request{.id = "exec" + std::to_string(i)};
    request.process.args = {"sh", "-c", "read x; echo $x; exit " + std::to_string(i)};
    request.process.env = {"PATH=/bin"};
    request.open_stdin = true;
    peers.push_back(attach_to(request.attachments, {.standard_input = true}));
    const auto pid = task->exec(std::move(request));
    ASSERT_TRUE(pid.ok()) << pid.error().message();
    EXPECT_GT(*pid, 0);
  }
  for (std::size_t i = 0; i < peers.size(); ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    peers[i].write(line);
    EXPECT_EQ(peers[i].read_all(), frame(1, line));
    const auto event = events_.wait(Event::Type::ExecExited, task->id(), "exec" + std::to_string(i));
    ASSERT_TRUE(event.has_value());
    EXPECT_EQ(event->exit.code, static_cast<int>(i));
  }
}

TEST_F(RunnerTest, EndOfAnExecIsKnownBeforeItsClientIsClosed) {
  const auto task = run(bundle({"sleep", "1000"}));
  ASSERT_TRUE(task);
  for (const bool terminal : {false, true}) {
    const std::string id = terminal ? "terminal" : "pipes";
    ExecRequest request{.id = id};
    request.process.args = {"sh", "-c", "echo out; exit 4"};
    request.process.env = {"PATH=/bin"};
    request.process.terminal = terminal;
    const Peer peer = attach_to(request.attachments, {.multiplexed = false});
    bool closed_early = false;
    before_event_ = [&](const Event& event) {
      if (event.type == Event::Type::ExecExited) closed_early = peer.closed();
    };
    ASSERT_TRUE(task->exec(std::move(request)).ok());
    EXPECT_EQ(peer.read_all(), terminal ? "out\r\n" : "out\n");
    EXPECT_TRUE(events_.has(Event::Type::ExecExited, id));  // by now, without waiting
    EXPECT_FALSE(closed_early);
    ASSERT_TRUE(events_.wait(Event::Type::ExecExited, task->id(), id).has_value());
    before_event_ = nullptr;
  }
}

TEST_F(RunnerTest, ExecClientIsClosedWithoutADaemon) {
  auto task = run(bundle({"sleep", "1000"}));
  ASSERT_TRUE(task);
  const std::string id = task->id();
  ExecRequest request{.id = "x"};
  request.process.args = {"sh", "-c", "read x; exit 4"};
  request.process.env = {"PATH=/bin"};
  request.open_stdin = true;
  const Peer peer = attach_to(request.attachments, {.standard_input = true});
  ASSERT_TRUE(task->exec(std::move(request)).ok());
  task.reset();
  lose_daemon();
  peer.write("\n");
  EXPECT_EQ(peer.read_all(), "");
  open();
  auto recovered = runner_->recover(id);
  ASSERT_TRUE(recovered.ok());
  tasks_.push_back(*recovered);
  EXPECT_EQ(events_.wait(Event::Type::ExecExited, id, "x")->exit.code, 4);
}

TEST_F(RunnerTest, ExecWithTerminalDetachedAndMissing) {
  const auto task = run(bundle({"sleep", "1000"}));
  ASSERT_TRUE(task);
  ExecRequest terminal{.id = "tty"};
  terminal.process.args = {"sh", "-c", "read x; stty size; read x"};
  terminal.process.env = {"PATH=/bin"};
  terminal.process.terminal = true;
  const Peer peer = attach_to(terminal.attachments, {.standard_input = true, .multiplexed = false});
  ASSERT_TRUE(task->exec(std::move(terminal)).ok());
  ASSERT_TRUE(task->resize_exec("tty", 90, 30).ok());
  peer.write("\n");
  EXPECT_NE(peer.read_until("30 90\r\n").find("30 90\r\n"), std::string::npos);
  ASSERT_TRUE(task->kill_exec("tty", SIGKILL).ok());
  EXPECT_EQ(events_.wait(Event::Type::ExecExited, task->id(), "tty")->exit.code, 137);

  ExecRequest detached{.id = "detached"};
  detached.process.args = {"sh", "-c", "echo unseen; exit 5"};
  detached.process.env = {"PATH=/bin"};
  ASSERT_TRUE(task->exec(std::move(detached)).ok());
  EXPECT_EQ(events_.wait(Event::Type::ExecExited, task->id(), "detached")->exit.code, 5);

  ExecRequest missing{.id = "missing"};
  missing.process.args = {"no-such-program"};
  missing.process.env = {"PATH=/bin"};
  const auto failed = task->exec(std::move(missing));
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().kind(), Kind::NotFound);
  EXPECT_EQ(task->kill_exec("nobody", SIGKILL).error().kind(), Kind::NotFound);
}

TEST_F(RunnerTest, PausedContainerRefusesExecAndDiesOnKill) {
  const auto task = run(bundle({"sleep", "1000"}));
  ASSERT_TRUE(task);
  ASSERT_TRUE(task->pause().ok());
  ExecRequest request{.id = "x"};
  request.process.args = {"true"};
  EXPECT_EQ(task->exec(std::move(request)).error().kind(), Kind::Conflict);
  ASSERT_TRUE(task->kill(SIGKILL).ok());
  EXPECT_EQ(exit_of(*task).code, 137);
}

TEST_F(RunnerTest, DaemonComesBack) {
  auto made = bundle({"sh", "-c", "while read x; do echo $x; done; exit 9"});
  made.open_stdin = true;
  made.stdin_once = true;
  const auto id = made.id;
  const auto state = made.state_directory;
  const Peer peer = attach_to(made.attachments, {.standard_input = true});
  auto task = run(std::move(made));
  ASSERT_TRUE(task);
  const pid_t pid = task->pid();
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  ASSERT_TRUE(task->keep("dns", {pipe_ends[1]}).ok());
  ExecRequest request{.id = "ends-meanwhile"};
  request.process.args = {"sh", "-c", "exit 4"};
  request.process.env = {"PATH=/bin"};
  ASSERT_TRUE(task->exec(std::move(request)).ok());
  ASSERT_TRUE(events_.wait(Event::Type::ExecExited, id, "ends-meanwhile").has_value());
  task.reset();
  lose_daemon();
  peer.write("still there\n");
  EXPECT_EQ(peer.read_until("there\n"), frame(1, "still there\n"));

  open();
  EXPECT_EQ(*runner_->monitors(), std::vector<std::string>{id});
  auto recovered = runner_->recover(id);
  ASSERT_TRUE(recovered.ok()) << recovered.error().message();
  task = *recovered;
  tasks_.push_back(task);
  EXPECT_EQ(task->pid(), pid);
  EXPECT_EQ(events_.wait(Event::Type::ExecExited, id, "ends-meanwhile")->exit.code, 4);
  const auto kept = task->kept("dns");
  ASSERT_TRUE(kept.ok());
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ(::write(kept->front().get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(pipe_ends[0], &byte, 1), 1);
  ::close(pipe_ends[0]);
  ::close(pipe_ends[1]);
  EXPECT_TRUE(task->network_namespace().ok());
  EXPECT_FALSE(task->processes()->empty());
  peer.end_input();
  EXPECT_EQ(exit_of(*task).code, 9);
  EXPECT_EQ(log_of(state), "still there\n");
}

TEST_F(RunnerTest, EndWhileNobodyIsThereIsRecorded) {
  auto made = bundle({"sh", "-c", "read x; echo bye; exit 11"});
  made.open_stdin = true;
  const auto id = made.id;
  const auto state = made.state_directory;
  const Peer peer = attach_to(made.attachments, {.standard_input = true});
  auto task = run(std::move(made));
  ASSERT_TRUE(task);
  const pid_t monitor = task->monitor_pid();
  task.reset();
  lose_daemon();
  peer.write("\n");
  EXPECT_EQ(peer.read_all(), frame(1, "bye\n"));
  EXPECT_TRUE(gone(monitor));
  EXPECT_TRUE(sys::list_directory(config_.exec_root + "/containers")->empty());
  open();
  EXPECT_EQ(runner_->recover(id).error().kind(), Kind::NotFound);
  const auto record = Runner::exit_record(state);
  ASSERT_TRUE(record.ok() && record->has_value());
  EXPECT_EQ((*record)->code, 11);
  EXPECT_EQ(log_of(state), "bye\n");
}

TEST_F(RunnerTest, KilledMonitorIsNoticedAndItsContainerEnded) {
  const auto task = run(bundle({"sleep", "1000"}));
  ASSERT_TRUE(task);
  const pid_t pid = task->pid();
  ASSERT_EQ(::kill(task->monitor_pid(), SIGKILL), 0);
  const Exit exit = exit_of(*task);
  EXPECT_EQ(exit.code, 137);
  EXPECT_NE(exit.error, "");
  EXPECT_TRUE(gone(pid));
  EXPECT_EQ(task->kill(SIGTERM).error().kind(), Kind::Unavailable);
}

TEST_F(RunnerTest, MonitorKilledWhileNobodyIsThereIsCleanedUp) {
  auto task = run(bundle({"sleep", "1000"}));
  ASSERT_TRUE(task);
  const std::string id = task->id();
  const pid_t pid = task->pid();
  const pid_t monitor = task->monitor_pid();
  task.reset();
  lose_daemon();
  ASSERT_EQ(::kill(monitor, SIGKILL), 0);
  EXPECT_TRUE(gone(monitor));
  open();
  EXPECT_EQ(runner_->recover(id).error().kind(), Kind::NotFound);
  EXPECT_TRUE(gone(pid));
  EXPECT_TRUE(sys::list_directory(config_.exec_root + "/containers")->empty());
  const auto record = Runner::exit_record(directory_ + "/state/" + id);
  ASSERT_TRUE(record.ok() && record->has_value());
  EXPECT_EQ((*record)->code, 137);
}

TEST_F(RunnerTest, MonitorInAdvanceThatIsKilledIsReapedAndReplaced) {
  const auto children = [] {
    std::set<pid_t> pids;
    const auto threads = *sys::list_directory("/proc/self/task");
    for (const auto& thread : threads) {
      const std::string text = *sys::read_file("/proc/self/task/" + thread + "/children");
      for (const auto& word : split(text, ' '))
        if (!word.empty()) pids.insert(std::stoi(std::string(word)));
    }
    return pids;
  };
  const auto before = children();
  runner_->prepare_next();
  std::vector<pid_t> fresh;
  std::ranges::set_difference(children(), before, std::back_inserter(fresh));
  ASSERT_EQ(fresh.size(), 1U);
  ASSERT_EQ(::kill(fresh[0], SIGKILL), 0);
  // Nobody but the runner reaps it.
  for (int i = 0; i < 200 && ::kill(fresh[0], 0) == 0; ++i) ::poll(nullptr, 0, 20);
  EXPECT_NE(::kill(fresh[0], 0), 0);
  const auto task = run(bundle({"true"}));
  ASSERT_TRUE(task);
  EXPECT_EQ(exit_of(*task).code, 0);
}

TEST_F(RunnerTest, MonitorDisregardsSignals) {
  const auto task = run(bundle({"sleep", "1000"}));
  ASSERT_TRUE(task);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGPIPE})
    ASSERT_EQ(::kill(task->monitor_pid(), signal), 0);
  EXPECT_FALSE(task->processes()->empty());
}

TEST_F(RunnerTest, SlowClientLosesNothing) {
  auto made = bundle({"sh", "-c", "yes 0123456789abcde | head -c 20000000"});
  made.log.max_bytes = 1 << 20;
  made.log.max_files = 2;
  const Peer peer = attach_to(made.attachments, {.multiplexed = false});
  const auto task = run(std::move(made));
  ASSERT_TRUE(task);
  // Nothing is read yet: the program must be held back, and the monitor must answer.
  EXPECT_TRUE(task->processes().ok());
  EXPECT_EQ(peer.read_all().size(), 20000000U);
  EXPECT_EQ(exit_of(*task).code, 0);
}

TEST_F(RunnerTest, VanishedClientHoldsNothingBack) {
  auto made = bundle({"sh", "-c", "yes 0123456789abcde | head -c 20000000; exit 2"});
  { const Peer peer = attach_to(made.attachments); }
  const auto task = run(std::move(made));
  ASSERT_TRUE(task);
  EXPECT_EQ(exit_of(*task).code, 2);
}

}  // namespace
}  // namespace skiff::runner
