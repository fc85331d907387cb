#include "runner/runner.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <deque>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "base/undo.h"
#include "monitor/protocol.h"
#include "monitor/remains.h"
#include "runner/task.h"
#include "sys/executable.h"
#include "sys/file.h"
#include "sys/path.h"
#include "sys/socket.h"
#include "sys/spawn.h"

namespace skiff::runner {
namespace {

using namespace std::chrono_literals;

constexpr int kMonitorSocket = 3;  ///< where skiff-monitor expects its end
/// What stands in the place of the container's id while a monitor has none, as long as an id.
constexpr std::string_view kNoContainer = "(waits for a container)                                         ";
static_assert(kNoContainer.size() == 64);

Result<void> set_nonblocking(const sys::Fd& fd) {
  const int flags = ::fcntl(fd.get(), F_GETFL);
  if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) return fail_errno("fcntl");
  return success();
}

Result<std::string> beside_this_program(std::string_view name) {
  char path[4096];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof(path));
  if (length <= 0) return fail_errno("readlink /proc/self/exe");
  return fmt::format("{}/{}", sys::dir_name({path, static_cast<std::size_t>(length)}), name);
}

/// Two threads: one reads all monitors' sockets and wakes the callers, the other hands events to the
/// listener, which may therefore call any Task.
class EpollRunner final : public Runner {
 public:
  EpollRunner(const spec::EngineConfig& config, std::function<void(Event)> listener)
      : directory_(config.exec_root + "/containers"),
        seccomp_cache_(config.exec_root + "/seccomp"),
        program_(config.monitor_program),
        listener_(std::move(listener)) {}
  ~EpollRunner() override;

  Result<void> open();
  Result<std::shared_ptr<Task>> create(const std::string& id,
                                       const std::function<Result<Bundle>()>& make) override;
  void prepare_next() override EXCLUDES(spare_mutex_);
  Result<std::shared_ptr<Task>> recover(const std::string& id) override;
  Result<std::vector<std::string>> monitors() override;

 private:
  /// A monitor without a container, and our end of its socket.
  struct Newborn {
    sys::Process process;
    sys::Fd socket;
  };

  /// A monitor in advance, which is reaped as any child, should somebody kill it.
  struct Spare {
    std::uint64_t key = 0;
    sys::Fd socket;
  };

  /// What an epoll event belongs to: a monitor's socket, or the pidfd of a monitor that is our child.
  struct Entry {
    std::shared_ptr<MonitorTask> task;
    sys::Process child;
  };

  std::string run_directory(const std::string& id) const { return directory_ + "/" + id; }
  Result<Newborn> spawn_monitor() const;
  std::optional<Newborn> take_spare() EXCLUDES(spare_mutex_);
  Result<Spare> spawn_spare();
  static void end(Newborn monitor);
  Result<void> make_container(MonitorTask& task, const std::function<Result<Bundle>()>& make);
  Exit clean_up_after_monitor(const std::string& id) const;
  std::optional<monitor::Remains> clean_up_remains(const std::string& id) const;
  Result<std::uint64_t> add(int fd, Entry& entry) EXCLUDES(mutex_);
  void remove(std::uint64_t key) EXCLUDES(mutex_);
  sys::Process take_child(std::uint64_t key) EXCLUDES(mutex_);
  std::shared_ptr<MonitorTask> find(std::uint64_t key) EXCLUDES(mutex_);

  void read_loop();
  void read_socket(std::uint64_t key, const std::shared_ptr<MonitorTask>& task);
  void reap(std::uint64_t key);
  void event_loop() EXCLUDES(events_mutex_);
  void tell(std::function<void()> job) EXCLUDES(events_mutex_);
  void tell(Event event);
  void receive_event(const std::shared_ptr<MonitorTask>& task, monitor::Message message);
  void tell_exec_end(const std::shared_ptr<MonitorTask>& task, Event event);
  void lost(const std::shared_ptr<MonitorTask>& task);

  const std::string directory_;
  const std::string seccomp_cache_;
  std::string program_;
  sys::Fd image_;  ///< of the monitor: a container must not be able to write to what is running
  const std::function<void(Event)> listener_;
  sys::Fd epoll_;
  sys::Fd stop_;
  std::thread reader_;
  std::thread teller_;

  Mutex mutex_;
  std::uint64_t last_key_ GUARDED_BY(mutex_) = 0;
  std::unordered_map<std::uint64_t, Entry> entries_ GUARDED_BY(mutex_);

  Mutex spare_mutex_;
  std::optional<Spare> spare_ GUARDED_BY(spare_mutex_);
  bool preparing_ GUARDED_BY(spare_mutex_) = false;

  Mutex events_mutex_;
  std::condition_variable events_arrived_;
  std::deque<std::function<void()>> events_ GUARDED_BY(events_mutex_);
  bool stopping_ GUARDED_BY(events_mutex_) = false;
};

EpollRunner::~EpollRunner() {
  if (reader_.joinable()) {
    const std::uint64_t one = 1;
    (void)!::write(stop_.get(), &one, sizeof(one));
    reader_.join();
  }
  {
    const MutexLock lock(events_mutex_);
    stopping_ = true;
  }
  events_arrived_.notify_all();
  if (teller_.joinable()) teller_.join();
  if (auto spare = take_spare()) end(*std::move(spare));
  const MutexLock lock(mutex_);
  for (auto& [key, entry] : entries_) {
    if (entry.task) entry.task->link().close();
  }
}

Result<void> EpollRunner::open() {
  if (program_.empty()) program_ = TRY(beside_this_program("skiff-monitor"));
  auto image = sys::executable_in_memory(program_.c_str());
  if (!image && image.error().kind() == Kind::Forbidden)
    image = sys::open_protected_executable(program_.c_str());
  image_ = TRY(std::move(image));
  TRY(sys::make_directories(directory_, 0700));
  epoll_ = sys::Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.valid()) return fail_errno("epoll_create1");
  stop_ = sys::Fd(::eventfd(0, EFD_CLOEXEC));
  if (!stop_.valid()) return fail_errno("eventfd");
  epoll_event event{.events = EPOLLIN, .data = {.u64 = 0}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop_.get(), &event) != 0) return fail_errno("epoll_ctl");
  reader_ = std::thread([this] { read_loop(); });
  teller_ = std::thread([this] { event_loop(); });
  return success();
}

/// Takes `entry` when it succeeds.
Result<std::uint64_t> EpollRunner::add(int fd, Entry& entry) {
  const MutexLock lock(mutex_);
  const std::uint64_t key = ++last_key_;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = key}};
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail_errno("epoll_ctl");
  entries_.emplace(key, std::move(entry));
  return key;
}

void EpollRunner::remove(std::uint64_t key) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  // Explicitly, and not by closing: a Task may be held, and its socket open, for longer.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.task->link().socket().get(), nullptr);
  entries_.erase(found);
}

/// The monitor is no longer watched; invalid when it was reaped already.
sys::Process EpollRunner::take_child(std::uint64_t key) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end() || !found->second.child.valid()) return {};
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second.child.pidfd().get(), nullptr);
  sys::Process child = std::move(found->second.child);
  entries_.erase(found);
  return child;
}

std::shared_ptr<MonitorTask> EpollRunner::find(std::uint64_t key) {
  const MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : found->second.task;
}

Result<EpollRunner::Newborn> EpollRunner::spawn_monitor() const {
  auto [ours, theirs] = TRY(sys::packet_pair());
  TRY(set_nonblocking(ours));
  auto process = TRY(sys::spawn({.program = program_,
                                 .image = image_.get(),
                                 .arguments = {"skiff-monitor", std::string(kNoContainer)},
                                 .environment = std::vector<std::string>{},
                                 .directory = "/",
                                 .keep = {{theirs.get(), kMonitorSocket}},
                                 .new_session = true}));
  return Newborn{.process = std::move(process), .socket = std::move(ours)};
}

std::optional<EpollRunner::Newborn> EpollRunner::take_spare() {
  std::optional<Spare> spare;
  {
    const MutexLock lock(spare_mutex_);
    spare.swap(spare_);
  }
  if (!spare) return std::nullopt;
  Newborn monitor{.process = take_child(spare->key), .socket = std::move(spare->socket)};
  if (!monitor.process.valid()) return std::nullopt;
  const auto ended = monitor.process.wait_for(0ms);
  if (ended && !ended->has_value()) return monitor;
  return std::nullopt;  // somebody killed it
}

void EpollRunner::prepare_next() {
  {
    const MutexLock lock(spare_mutex_);
    if (spare_ || std::exchange(preparing_, true)) return;
  }
  auto spare = spawn_spare();
  if (!spare) log::warning("a monitor in advance: {}", spare.error().message());
  const MutexLock lock(spare_mutex_);
  preparing_ = false;
  if (spare) spare_ = *std::move(spare);
}

Result<EpollRunner::Spare> EpollRunner::spawn_spare() {
  auto monitor = TRY(spawn_monitor());
  Entry child{.task = nullptr, .child = std::move(monitor.process)};
  const auto key = add(child.child.pidfd().get(), child);
  if (key) return Spare{.key = *key, .socket = std::move(monitor.socket)};
  end({.process = std::move(child.child), .socket = std::move(monitor.socket)});
  return key.error();
}

/// Hanging up makes a monitor undo everything and end; one that does not is ended.
void EpollRunner::end(Newborn monitor) {
  monitor.socket.reset();
  if (!monitor.process.valid()) return;
  auto ended = monitor.process.wait_for(5s);
  if (ended && ended->has_value()) return;
  (void)monitor.process.signal(SIGKILL);
  (void)monitor.process.wait();
}

/// Ends and removes what a monitor that was killed left behind. A container without a monitor cannot be
/// served any more, and is recorded as killed unless its end was on disk already.
Exit EpollRunner::clean_up_after_monitor(const std::string& id) const {
  Exit exit{.code = 137, .finished = now(), .error = "the container's monitor was killed"};
  if (const auto remains = clean_up_remains(id)) {
    const auto record = exit_record(remains->state_directory);
    if (record && record->has_value()) {
      exit = **record;
    } else if (auto written = monitor::write_exit_record(
                   remains->state_directory,
                   {.code = exit.code, .finished = exit.finished, .error = exit.error}, true);
               !written) {
      log::error("container {}: {}", id, written.error().message());
    }
  }
  return exit;
}

std::optional<monitor::Remains> EpollRunner::clean_up_remains(const std::string& id) const {
  std::optional<monitor::Remains> remains;
  if (auto read = monitor::read_remains(run_directory(id))) {
    remains = *std::move(read);
    if (auto removed = monitor::remove_remains(id, run_directory(id), *remains); !removed)
      log::error("container {}: {}", id, removed.error().message());
  }
  monitor::remove_run_files(run_directory(id));
  return remains;
}

Result<void> EpollRunner::make_container(MonitorTask& task, const std::function<Result<Bundle>()>& make) {
  TRY(task.create(TRY(make()), run_directory(task.id()), seccomp_cache_));
  task.establish();
  if (task.link().closed()) return fail(Kind::Unavailable, "the monitor of container {} is gone", task.id());
  return success();
}

Result<std::shared_ptr<Task>> EpollRunner::create(const std::string& id,
                                                  const std::function<Result<Bundle>()>& make) {
  auto monitor = take_spare();
  if (!monitor) monitor = TRY_CONTEXT(spawn_monitor(), "start monitor");
  auto task = std::make_shared<MonitorTask>(id, std::move(monitor->socket));
  task->set_monitor_pid(monitor->process.pid());
  Entry talk{.task = task, .child = {}};
  Entry child{.task = nullptr, .child = std::move(monitor->process)};
  UndoStack undo;
  undo.add([&] {
    task->link().close();
    task.reset();
    end({.process = std::move(child.child), .socket = {}});
    clean_up_remains(id);  // of a monitor that did not come to undo it all
  });
  const auto child_key = TRY(add(child.child.pidfd().get(), child));
  undo.add([&, child_key] { child.child = take_child(child_key); });
  const auto key = TRY(add(task->link().socket().get(), talk));
  undo.add([&, key] {
    task->first_end();  // no event: the caller is told
    remove(key);
  });
  TRY(make_container(*task, make));
  undo.dismiss();
  return std::shared_ptr<Task>(std::move(task));
}

Result<std::shared_ptr<Task>> EpollRunner::recover(const std::string& id) {
  const std::string path = run_directory(id) + "/monitor.sock";
  auto socket = sys::connect_packets(path);
  if (!socket) {
    if (socket.error().code() != ENOENT && socket.error().code() != ECONNREFUSED)
      return std::move(socket).error();
    clean_up_after_monitor(id);
    return fail(Kind::NotFound, "container {} has no monitor", id);
  }
  TRY(set_nonblocking(*socket));
  auto task = std::make_shared<MonitorTask>(id, *std::move(socket));
  Entry talk{.task = task, .child = {}};
  const std::uint64_t key = TRY(add(task->link().socket().get(), talk));
  auto state = task->take_over();
  if (!state) {
    remove(key);
    // It ended between connect and question: the same as if it had not been there.
    if (state.error().kind() == Kind::Unavailable && !sys::exists(path)) {
      return fail(Kind::NotFound, "container {} has no monitor", id);
    }
    return std::move(state).error();
  }
  task->establish();
  for (const monitor::ExecState& exec : state->execs) {
    if (exec.running) continue;
    tell({.type = Event::Type::ExecExited, .container = id, .exec = exec.id, .exit = to_exit(exec.exit)});
  }
  if (state->phase == "exited" && task->first_end()) {
    tell({.type = Event::Type::Exited, .container = id, .exec = "", .exit = to_exit(state->exit)});
  }
  return std::shared_ptr<Task>(std::move(task));
}

Result<std::vector<std::string>> EpollRunner::monitors() { return sys::list_directory(directory_); }

void EpollRunner::read_loop() {
  while (true) {
    epoll_event events[64];
    const int count = ::epoll_wait(epoll_.get(), events, 64, -1);
    if (count < 0 && errno != EINTR) {
      log::error("runner: epoll_wait failed with errno {}", errno);
      return;
    }
    for (int i = 0; i < count; ++i) {
      const std::uint64_t key = events[i].data.u64;
      if (key == 0) return;
      if (const auto task = find(key))
        read_socket(key, task);
      else
        reap(key);
    }
  }
}

void EpollRunner::read_socket(std::uint64_t key, const std::shared_ptr<MonitorTask>& task) {
  if (task->link().read([&](monitor::Message message) { receive_event(task, std::move(message)); })) return;
  const bool held = find(key) != nullptr;
  remove(key);
  task->link().close();
  if (held && !task->released()) tell([this, task] { lost(task); });
}

void EpollRunner::reap(std::uint64_t key) {
  const sys::Process child = take_child(key);
  if (!child.valid()) return;
  if (auto status = child.wait(); !status) log::warning("monitor: {}", status.error().message());
}

void EpollRunner::receive_event(const std::shared_ptr<MonitorTask>& task, monitor::Message message) {
  auto body = json::from_value<monitor::EventMessage>(std::move(message.body));
  if (!body) return log::warning("container {}: {}", task->id(), body.error().message());
  Event event{.container = task->id(), .exec = body->exec, .exit = to_exit(body->exit)};
  if (message.type == monitor::type::kExited) {
    event.type = Event::Type::Exited;
    if (!task->first_end()) return;
  } else if (message.type == monitor::type::kExecExited) {
    event.type = Event::Type::ExecExited;
    return tell_exec_end(task, std::move(event));
  } else if (message.type == monitor::type::kOutOfMemory) {
    event.type = Event::Type::OutOfMemory;
  } else {
    return;  // from a newer monitor
  }
  tell(std::move(event));
}

/// The monitor keeps the exec's clients until it hears that the end was recorded. When it does not hear it,
/// it is gone or will not wait for ever.
void EpollRunner::tell_exec_end(const std::shared_ptr<MonitorTask>& task, Event event) {
  tell([this, task, event = std::move(event)] {
    listener_(event);
    (void)task->link().notify(monitor::type::kExecRecorded,
                              json::to_value(monitor::ExecRecorded{.exec = event.exec}));
  });
}

/// The monitor is gone without having been released: it was killed, or ended by itself with its record on
/// disk. A container without monitor cannot be served: what is left of it is ended.
void EpollRunner::lost(const std::shared_ptr<MonitorTask>& task) {
  if (task->released() || !task->established() || !task->first_end()) return;
  auto record = exit_record(task->state_directory());
  Event event{.type = Event::Type::Exited, .container = task->id(), .exec = "", .exit = {}};
  if (record && record->has_value()) {
    event.exit = **record;
  } else {
    log::error("container {}: its monitor {} is gone", task->id(), task->monitor_pid());
    // First of all its first process, for which no cgroup is needed.
    if (task->pidfd().valid()) ::syscall(SYS_pidfd_send_signal, task->pidfd().get(), SIGKILL, nullptr, 0);
    event.exit = clean_up_after_monitor(task->id());
  }
  listener_(std::move(event));
}

void EpollRunner::tell(Event event) {
  tell([this, event = std::move(event)] { listener_(event); });
}

void EpollRunner::tell(std::function<void()> job) {
  const MutexLock lock(events_mutex_);
  events_.push_back(std::move(job));
  events_arrived_.notify_one();
}

void EpollRunner::event_loop() {
  while (true) {
    std::function<void()> job;
    {
      MutexLock lock(events_mutex_);
      while (events_.empty() && !stopping_) lock.wait(events_arrived_);
      if (events_.empty()) return;
      job = std::move(events_.front());
      events_.pop_front();
    }
    job();
  }
}

}  // namespace

Result<std::unique_ptr<Runner>> Runner::open(const spec::EngineConfig& config,
                                             std::function<void(Event)> listener) {
  auto runner = std::make_unique<EpollRunner>(config, std::move(listener));
  TRY(runner->open());
  return std::unique_ptr<Runner>(std::move(runner));
}

Result<std::optional<Exit>> Runner::exit_record(const std::string& state_directory) {
  const auto record = TRY(monitor::read_exit_record(state_directory));
  if (!record) return std::optional<Exit>();
  return std::optional(to_exit(*record));
}

}  // namespace skiff::runner
