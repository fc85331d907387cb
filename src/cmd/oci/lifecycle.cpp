#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "base/undo.h"
#include "cmd/oci/bundle.h"
#include "cmd/oci/clean_up.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/flags.h"
#include "cmd/oci/notify.h"
#include "cmd/oci/record.h"
#include "cmd/oci/terminal.h"
#include "runtime/checkpoint.h"
#include "runtime/container.h"
#include "runtime/handshake.h"
#include "runtime/hooks.h"
#include "runtime/systemd_unit.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::oci {
namespace {

enum class Mode { Create, Detached, Foreground };

/// Descriptors that systemd's socket activation and --preserve-fds pass through.
Result<int> passed_descriptors(const Flags& flags) {
  const char* listen = ::getenv("LISTEN_FDS");
  return preserved_descriptors(flags, listen ? parse_int(listen).value_or(0) : 0);
}

struct Made {
  Home home;
  Record record;
  spec::oci::Runtime config;
  runtime::Container container;
  std::optional<NotifySocket> notify;
  UndoStack undo;  ///< removes the state directory
};

/// The fifos through which a later `start` speaks with the waiting child. Both ends are held open by the
/// child itself, so neither side ever blocks in open(2).
struct Fifos {
  sys::Fd start;
  sys::Fd result;
};

Result<Fifos> make_fifos(const Home& home) {
  for (const auto& path : {home.start_fifo(), home.result_fifo()})
    if (::mkfifo(path.c_str(), 0600) != 0) return fail_errno("create {}", path);
  return Fifos{TRY(sys::open_file(home.start_fifo(), O_RDWR)),
               TRY(sys::open_file(home.result_fifo(), O_RDWR))};
}

/// What is wrong with a configuration is said as it is; the rest happened while the container was made.
Error starting_error(Error error) {
  const auto kind = error.kind();
  if (kind == Kind::InvalidArgument || kind == Kind::Unsupported || kind == Kind::Conflict) return error;
  return error.with_context("unable to start container process: error during container init");
}

/// `create` takes a configuration without a process (config.md); `start` does not.
void stand_in_for_process(spec::oci::Runtime& config) { config.process.emplace().args = {"/"}; }

Result<Made> make(const Global& global, const Flags& flags, Mode mode) {
  const auto& id = flags.arguments().front();
  const auto bundle = sys::join_path(sys::current_directory(), flags.get("bundle", "."));
  const auto text = TRY(read_config(flags, bundle));
  TRY(check_id(id));
  runtime::CreateOptions options;
  options.config = TRY(json::decode<spec::oci::Runtime>(text));
  TRY(spec::oci::validate(options.config));
  TRY(check_root(options.config, bundle));
  const bool has_process = options.config.process.has_value();
  if (!has_process) {
    if (mode != Mode::Create) return Error(Kind::InvalidArgument, "process property must not be empty");
    stand_in_for_process(options.config);
  }
  options.id = id;
  options.bundle = bundle;
  options.streams = {0, 1, 2};
  options.seccomp_cache = global.root + "/.seccomp";
  options.no_pivot = flags.has("no-pivot");
  options.new_keyring = !flags.has("no-new-keyring");
  options.preserve_fds = TRY(passed_descriptors(flags));
  if (const char* listen = ::getenv("LISTEN_FDS"); listen && options.config.process) {
    // sd_listen_fds(3) compares the pid: in the container's own namespace it is the first.
    options.config.process->env.push_back(std::string("LISTEN_FDS=") + listen);
    options.config.process->env.emplace_back("LISTEN_PID=1");
  }
  TRY(check_console(flags, options.config.process->terminal, mode != Mode::Foreground));
  options.systemd_cgroup = global.systemd_cgroup;
  options.cgroup_path = global.systemd_cgroup ? TRY(runtime::find_unit(options.config, id)).cgroup
                                              : runtime::cgroup_path_of(options.config, id);

  UndoStack undo;
  Home home(global.root, id);
  TRY(home.create());
  undo.add([home] { (void)home.remove(); });
  options.cgroup_layout = TRY(cgroup_layout());
  TRY(check_cgroup({*options.cgroup_layout, options.cgroup_path}));
  TRY(home.save_config(text));
  auto notify = NotifySocket::wanted(home);
  if (notify) TRY(notify->add_to(options.config));
  if (notify && mode != Mode::Create) TRY(notify->open());
  Fifos fifos;
  if (mode == Mode::Create) {
    fifos = TRY(make_fifos(home));
    options.start_fd = fifos.start.get();
    options.report_fd = fifos.result.get();
  }
  auto created = runtime::Container::create(options);
  for (const auto& warning : options.warnings) warn(warning);
  if (!created) return starting_error(std::move(created).error());
  auto container = std::move(*created);
  if (has_process && container.program_error()) return starting_error(*container.program_error());
  debug(fmt::format("container {}: first process {}, cgroup {}", id, container.process().pid(),
                    container.cgroup().path()));

  Record record;
  record.oci_version = spec::oci::kRuntimeSpecVersion;
  record.id = id;
  record.pid = container.process().pid();
  // Without it nobody would know the process again.
  record.start_time = TRY(process_start_time(record.pid));
  if (record.start_time == 0)
    return Error(Kind::Internal, "the container's first process ended before it was started");
  record.bundle = bundle;
  record.rootfs = options.config.root ? sys::join_path(bundle, options.config.root->path) : "";
  record.cgroup_path = container.cgroup().path();
  record.unit = container.unit();
  record.owner = "root";
  record.created = now();
  record.annotations = options.config.annotations;
  record.external_descriptors = runtime::standard_descriptors(record.pid);
  TRY(home.save(record));
  if (flags.has("pid-file")) TRY(sys::replace_file(flags.get("pid-file"), std::to_string(record.pid), 0644));
  if (flags.has("pidfd-socket"))
    TRY(send_to_socket(flags.get("pidfd-socket"), container.process().pidfd(), "pidfd"));
  if (flags.has("console-socket")) {
    const auto console = container.take_console();
    TRY(send_to_socket(flags.get("console-socket"), console, "/dev/ptmx"));
  }
  return Made{std::move(home),      std::move(record), std::move(options.config),
              std::move(container), std::move(notify), std::move(undo)};
}

/// runtime.md, "Lifecycle": one that fails is a warning, and the rest goes on.
void run_poststart(const spec::oci::Runtime& config, const Record& record) {
  if (!config.hooks) return;
  const auto state = state_of(record, Status::Running);
  if (const auto result = runtime::run_all_hooks(config.hooks->poststart, "poststart", state); !result)
    warn(result.error().message());
}

}  // namespace

Result<int> create(const Global& global, const Flags& flags) {
  auto made = TRY(make(global, flags, Mode::Create));
  made.container.detach();
  made.undo.dismiss();
  return 0;
}

Result<int> run(const Global& global, const Flags& flags) {
  const bool detached = flags.has("detach");
  if (!detached) hold_signals();
  auto made = TRY(make(global, flags, detached ? Mode::Detached : Mode::Foreground));
  const auto console = made.container.take_console();
  if (auto started = made.container.start(); !started) return starting_error(std::move(started).error());
  run_poststart(made.config, made.record);
  made.undo.dismiss();
  NotifySocket* notify = made.notify ? &*made.notify : nullptr;
  if (detached) {
    if (notify)
      if (const auto told = notify->stay_with(made.container.process()); !told) warn(told.error().message());
    return 0;
  }
  const int code = TRY(stay_with(made.container.process(), console, notify));
  if (!flags.has("keep")) TRY(clean_up(made.home, made.record, made.config));
  return code;
}

Result<int> start(const Global& global, const Flags& flags) {
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  const auto status = status_of(home, record);
  if (status == Status::Stopped) return Error(Kind::Conflict, "cannot start a container that has stopped");
  if (status != Status::Created) return Error(Kind::Conflict, "cannot start an already running container");
  const auto config = TRY(home.load_config());
  if (!config.process) return Error(Kind::InvalidArgument, "process property must not be empty");
  const auto process = TRY(process_of(record));
  const auto result = TRY(sys::open_file(home.result_fifo(), O_RDONLY | O_NONBLOCK));
  const auto release = TRY(sys::open_file(home.start_fifo(), O_WRONLY | O_NONBLOCK));
  auto notify = NotifySocket::wanted(home);
  if (notify) TRY(notify->open());
  // Whoever takes the name away is the one that starts: two `start`s at once cannot both.
  if (::unlink(home.start_fifo().c_str()) != 0)
    return Error(Kind::Conflict, "cannot start an already running container");
  TRY(sys::write_all(release, "S"));
  // The child's end closes at execve; before that it may say why there is none.
  pollfd entry = {result.get(), POLLIN, 0};
  while (::poll(&entry, 1, -1) < 0 && errno == EINTR) {
  }
  runtime::Packet packet;
  const auto size = TRY(sys::read_some(result, &packet, sizeof packet));
  ::unlink(home.result_fifo().c_str());
  if (size == sizeof packet && packet.message == runtime::Message::Failed)
    return runtime::describe_failure(packet);
  run_poststart(config, record);
  if (notify) TRY(notify->stay_with(process));
  return 0;
}

}  // namespace skiff::oci
