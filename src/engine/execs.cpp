#include "engine/execs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>

#include <condition_variable>
#include <csignal>

#include "base/ids.h"
#include "base/strings.h"
#include "engine/attach.h"
#include "engine/container.h"
#include "engine/create_request.h"
#include "engine/events.h"
#include "engine/frames.h"
#include "engine/lifecycle.h"
#include "engine/oci_config.h"
#include "engine/runtimes.h"
#include "engine/workers.h"
#include "spec/users.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::engine {
namespace {

constexpr auto kKeptAfterEnd = std::chrono::minutes(5);
constexpr std::size_t kLongestOutput = 4096;
constexpr std::string_view kExecFailed =
    "OCI runtime exec failed: exec failed: unable to start container process: ";

enum class Stage : std::uint8_t { Created, Running, Ended };

/// The command as Docker's events have it: a program without arguments is followed by a space too.
std::string words(const std::vector<std::string>& command) {
  return join(command, " ") + (command.size() == 1 ? " " : "");
}

/// A file of a running container, read through its root; "" when there is none.
Result<std::string> file_in(pid_t pid, std::string_view path) {
  const auto root = sys::open_directory(fmt::format("/proc/{}/root", pid));
  if (!root.ok()) return std::string();
  const auto file = sys::open_in_root(*root, path, O_RDONLY | O_NONBLOCK);
  if (!file.ok()) return std::string();
  return TRY_CONTEXT(sys::read_all(*file, spec::kUserFileLimit), "{}", path);
}

}  // namespace

struct Execs::Exec {
  std::string id;
  std::string container;
  spec::docker::ExecCreate request;
  std::string detach_bytes;
  sys::Fd ended;  ///< of run() only: eventfd, readable once it ended

  Mutex mutex;
  Stage stage GUARDED_BY(mutex) = Stage::Created;
  int pid GUARDED_BY(mutex) = 0;
  std::optional<int> exit_code GUARDED_BY(mutex);

  void end(int code) {
    const MutexLock lock(mutex);
    if (stage == Stage::Ended) return;
    stage = Stage::Ended;
    exit_code = code;
    pid = 0;
    if (ended) ::eventfd_write(ended.get(), 1);
  }
};

Result<std::shared_ptr<Execs::Exec>> Execs::find(const std::string& id) {
  const MutexLock lock(mutex_);
  const auto found = execs_.find(id);
  if (found == execs_.end()) return fail(Kind::NotFound, "No such exec instance: {}", id);
  return found->second;
}

Result<std::string> Execs::create(std::string_view name, const spec::docker::ExecCreate& request) {
  const auto container = TRY(set_.find(name));
  if (request.cmd.empty()) return Error(Kind::InvalidArgument, "No exec command specified");
  if (container->state_now() == State::Paused)
    return fail(Kind::Conflict, "Container {} is paused, unpause the container before exec", name);
  TRY(running_task(*container));
  if (!request.user.empty())
    TRY(make_process(*container, request));  // the start can only say it in the stream
  auto exec = std::make_shared<Exec>();
  exec->id = random_id();
  exec->container = container->id;
  exec->request = request;
  auto keys = parse_detach_keys(request.detach_keys);
  if (!keys.ok())
    return fail(Kind::InvalidArgument, "Invalid escape keys ({}) provided", request.detach_keys);
  exec->detach_bytes = *std::move(keys);
  {
    const MutexLock lock(mutex_);
    execs_[exec->id] = exec;
  }
  auto attributes = event_attributes(container->definition_now());
  attributes["execID"] = exec->id;
  events_.publish("container", "exec_create: " + words(request.cmd), container->id, std::move(attributes));
  return exec->id;
}

Result<bool> Execs::prepare(const std::string& id) {
  const auto exec = TRY(find(id));
  const auto container = TRY(set_.find(exec->container));
  if (container->state_now() == State::Paused)
    return fail(Kind::Conflict, "Container {} is paused, unpause the container before exec", exec->container);
  TRY(running_task(*container));
  const MutexLock lock(exec->mutex);
  if (exec->stage == Stage::Running) return fail(Kind::Conflict, "exec command {} is already running", id);
  if (exec->stage == Stage::Ended) return fail(Kind::Conflict, "exec command {} has already run", id);
  return exec->request.tty;
}

Result<spec::oci::Process> Execs::make_process(Container& container,
                                               const spec::docker::ExecCreate& request) {
  const Definition definition = container.definition_now();
  const pid_t pid = container.run_now().pid;
  const std::string user = request.user.empty() ? definition.config.user : request.user;
  const std::string passwd = TRY(file_in(pid, "/etc/passwd"));
  const std::string group = TRY(file_in(pid, "/etc/group"));
  const auto identity = TRY(spec::resolve_user(user, definition.host.group_add, passwd, group));
  spec::oci::Process process;
  process.terminal = request.tty;
  if (request.tty && request.console_size.size() == 2)
    process.console_size = spec::oci::ConsoleSize{request.console_size[0], request.console_size[1]};
  process.user.uid = identity.uid;
  process.user.gid = identity.gid;
  process.user.additional_gids = identity.additional_gids;
  process.args = request.cmd;
  process.env =
      make_environment(definition, definition.config.hostname, request.tty, request.env, identity.home);
  process.cwd = request.working_dir.empty() ? definition.config.working_dir : request.working_dir;
  if (process.cwd.empty()) process.cwd = "/";
  process.capabilities =
      TRY(make_capabilities(definition.host, definition.host.privileged || request.privileged));
  process.no_new_privileges = TRY(parse_security_options(definition.host.security_opt)).no_new_privileges;
  process.oom_score_adj = definition.host.oom_score_adj;
  return process;
}

Result<void> Execs::start(const std::string& id, const spec::docker::ExecStart& request, sys::Fd client,
                          std::string early_input) {
  const auto exec = TRY(find(id));
  const auto container = TRY(set_.find(exec->container));
  const auto task = TRY(running_task(*container));
  sys::Fd for_errors;
  if (client.valid()) for_errors = TRY(sys::duplicate(client));
  {
    const MutexLock lock(exec->mutex);
    if (exec->stage != Stage::Created) return fail(Kind::Conflict, "exec command {} is already running", id);
    exec->stage = Stage::Running;
  }
  spec::docker::ExecCreate wanted = exec->request;
  if (request.console_size.size() == 2) wanted.console_size = request.console_size;

  runner::ExecRequest run;
  run.id = id;
  if (client.valid()) {
    runner::Attachment attachment;
    attachment.client = std::move(client);
    attachment.early_input = std::move(early_input);
    attachment.standard_input = wanted.attach_stdin;
    attachment.standard_output = wanted.attach_stdout;
    attachment.standard_error = wanted.attach_stderr;
    attachment.multiplexed = !wanted.tty;
    attachment.detach_keys = exec->detach_bytes;
    run.open_stdin = wanted.attach_stdin;
    run.attachments.push_back(std::move(attachment));
  }
  const auto launch = [&]() -> Result<pid_t> {
    run.process = TRY(make_process(*container, wanted));
    return task->exec(std::move(run));
  };
  auto attributes = event_attributes(container->definition_now());
  attributes["execID"] = id;
  events_.publish("container", "exec_start: " + words(wanted.cmd), container->id, std::move(attributes));
  const auto pid = launch();
  if (pid.ok()) {
    const MutexLock lock(exec->mutex);
    if (exec->stage == Stage::Running) exec->pid = *pid;
    return {};
  }
  exec->end(start_failure_code(pid.error()));
  forget_later(id);
  // An external runtime's error is a whole sentence.
  const bool external = is_external_runtime(parts_.config, container->definition_now().host.runtime);
  const Error error(Kind::InvalidArgument,
                    (external ? "" : std::string(kExecFailed)) + pid.error().message());
  if (for_errors.valid()) {
    const std::string text = error.message() + "\r\n";
    (void)sys::write_all(for_errors, wanted.tty ? text : frame(1, text));  // the client may be gone already
  }
  return error;
}

Result<spec::docker::ExecInspect> Execs::inspect(const std::string& id) {
  const auto exec = TRY(find(id));
  spec::docker::ExecInspect shown;
  shown.id = id;
  shown.container_id = exec->container;
  shown.open_stdin = exec->request.attach_stdin;
  shown.open_stdout = exec->request.attach_stdout;
  shown.open_stderr = exec->request.attach_stderr;
  shown.process_config.tty = exec->request.tty;
  shown.process_config.user = exec->request.user;
  shown.process_config.privileged = exec->request.privileged;
  shown.process_config.entrypoint = exec->request.cmd[0];
  shown.process_config.arguments.assign(exec->request.cmd.begin() + 1, exec->request.cmd.end());
  const MutexLock lock(exec->mutex);
  shown.running = exec->stage == Stage::Running;
  shown.exit_code = exec->exit_code;
  shown.pid = exec->pid;
  return shown;
}

Result<void> Execs::resize(const std::string& id, int columns, int rows) {
  const auto exec = TRY(find(id));
  {
    const MutexLock lock(exec->mutex);
    if (exec->stage != Stage::Running) return fail(Kind::Conflict, "exec process is not started");
  }
  const auto container = TRY(set_.find(exec->container));
  return TRY(running_task(*container))
      ->resize_exec(id, static_cast<std::uint16_t>(columns), static_cast<std::uint16_t>(rows));
}

Result<Execs::RunResult> Execs::run(const std::shared_ptr<Container>& container,
                                    const std::vector<std::string>& arguments,
                                    std::chrono::nanoseconds timeout, std::stop_token stop) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe");
  const sys::Fd output(ends[0]);
  sys::Fd input(ends[1]);
  ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
  spec::docker::ExecCreate request;
  request.cmd = arguments;
  auto exec = std::make_shared<Exec>();
  exec->id = random_id();
  exec->container = container->id;
  exec->request = request;
  exec->stage = Stage::Running;
  exec->ended = sys::Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!exec->ended) return fail_errno("eventfd");
  const std::stop_callback given_up(stop, [&] { ::eventfd_write(exec->ended.get(), 1); });
  {
    const MutexLock lock(mutex_);
    execs_[exec->id] = exec;
  }
  auto attributes = event_attributes(container->definition_now());
  attributes["execID"] = exec->id;
  for (const char* action : {"exec_create: ", "exec_start: "})
    events_.publish("container", action + words(arguments), container->id, attributes);
  runner::ExecRequest run;
  run.id = exec->id;
  runner::Attachment attachment;
  attachment.client = std::move(input);
  attachment.multiplexed = false;
  run.attachments.push_back(std::move(attachment));
  const auto launch = [&]() -> Result<std::shared_ptr<runner::Task>> {
    auto task = TRY(running_task(*container));
    run.process = TRY(make_process(*container, request));
    TRY(task->exec(std::move(run)));
    return task;
  };
  const auto task = launch();
  RunResult result;
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  bool over = !task.ok();
  while (!over) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    struct pollfd fds[2] = {{output.get(), POLLIN, 0}, {exec->ended.get(), POLLIN, 0}};
    const int ready = ::poll(fds, 2, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready == 0) {
      result.timed_out = true;
      (void)(*task)->kill_exec(exec->id, SIGKILL);
      break;
    }
    over = (fds[1].revents & POLLIN) != 0;
    char buffer[4096];
    ssize_t size = 0;
    while ((size = ::read(output.get(), buffer, sizeof buffer)) > 0)
      result.output.append(
          buffer, std::min<std::size_t>(static_cast<std::size_t>(size),
                                        kLongestOutput - std::min(kLongestOutput, result.output.size())));
    // The pipe is closed but the end was not told yet: only that is waited for now.
    if (size == 0 && !over) {
      struct pollfd end = {exec->ended.get(), POLLIN, 0};
      result.timed_out = ::poll(&end, 1, static_cast<int>(std::max<std::int64_t>(0, left.count()))) == 0;
      over = true;
    }
  }
  {
    const MutexLock lock(mutex_);
    execs_.erase(exec->id);
  }
  if (!task.ok()) return task.error();
  const MutexLock lock(exec->mutex);
  result.code = exec->exit_code.value_or(-1);
  return result;
}

void Execs::exited(const std::string& container_id, const std::string& id, const runner::Exit& exit) {
  const auto exec = find(id);
  if (!exec.ok()) return;
  (*exec)->end(exit.code);
  forget_later(id);
  const auto container = set_.by_id(container_id);
  if (!container) return;
  auto attributes = event_attributes(container->definition_now());
  attributes["execID"] = id;
  attributes["exitCode"] = std::to_string(exit.code);
  events_.publish("container", "exec_die", container_id, std::move(attributes));
}

void Execs::forget_later(const std::string& id) {
  parts_.workers.post_after(kKeptAfterEnd, [this, id] {
    const MutexLock lock(mutex_);
    execs_.erase(id);
  });
}

void Execs::container_ended(const std::string& container) {
  std::vector<std::shared_ptr<Exec>> cut_off;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, exec] : execs_) {
      const MutexLock exec_lock(exec->mutex);
      if (exec->container == container && exec->stage != Stage::Ended) cut_off.push_back(exec);
    }
  }
  // Their records stay for a while, as those of any exec: a client may be about to ask for the exit code.
  for (const auto& exec : cut_off) {
    exec->end(137);
    forget_later(exec->id);
  }
}

std::vector<std::string> Execs::ids_of(const std::string& container) {
  std::vector<std::string> ids;
  const MutexLock lock(mutex_);
  for (const auto& [id, exec] : execs_) {
    const MutexLock exec_lock(exec->mutex);
    if (exec->container == container && exec->stage != Stage::Ended) ids.push_back(id);
  }
  return ids;
}

}  // namespace skiff::engine
