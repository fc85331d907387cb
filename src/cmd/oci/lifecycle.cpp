#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "base/undo.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/flags.h"
#include "cmd/oci/record.h"
#include "cmd/oci/terminal.h"
#include "runtime/container.h"
#include "runtime/handshake.h"
#include "runtime/hooks.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::oci {
namespace {

const std::vector<Flag> kCreateFlags = {{"bundle", 'b', true},
                                        {"console-socket", 0, true},
                                        {"pidfd-socket", 0, true},
                                        {"pid-file", 0, true},
                                        {"no-pivot"},
                                        {"no-new-keyring"},
                                        {"preserve-fds", 0, true},
                                        {"detach", 'd'},
                                        {"keep"},
                                        {"no-subreaper"}};

enum class Mode { Create, Detached, Foreground };

/// Descriptors that systemd's socket activation and --preserve-fds pass through.
Result<int> passed_descriptors(const Flags& flags) {
  const char* listen = ::getenv("LISTEN_FDS");
  return preserved_descriptors(flags, listen ? parse_int(listen).value_or(0) : 0);
}

Result<void> check_console(const Flags& flags, bool terminal, Mode mode) {
  const bool socket = flags.has("console-socket");
  if (mode != Mode::Foreground && terminal && !socket)
    return Error(Kind::InvalidArgument,
                 "cannot allocate tty if runc will detach without setting console socket");
  if ((mode == Mode::Foreground || !terminal) && socket)
    return Error(Kind::InvalidArgument, "cannot use console socket if runc will not detach or allocate tty");
  return {};
}

struct Made {
  Home home;
  Record record;
  spec::oci::Runtime config;
  runtime::Container container;
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

Result<Made> make(const Global& global, const Flags& flags, Mode mode) {
  if (flags.arguments().size() != 1)
    return Error(Kind::InvalidArgument, "exactly one argument is wanted: the container's id");
  const auto& id = flags.arguments().front();
  TRY(check_id(id));
  char here[4096];
  const auto bundle = sys::join_path(::getcwd(here, sizeof here) ? here : "/", flags.get("bundle", "."));
  const auto text = TRY(sys::read_file(bundle + "/config.json"));
  runtime::CreateOptions options;
  options.config = TRY(json::decode<spec::oci::Runtime>(text));
  TRY(spec::oci::validate(options.config));
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
  TRY(check_console(flags, options.config.process && options.config.process->terminal, mode));

  UndoStack undo;
  Home home(global.root, id);
  TRY(home.create());
  undo.add([home] { (void)home.remove(); });
  TRY(home.save_config(text));
  Fifos fifos;
  if (mode == Mode::Create) {
    fifos = TRY(make_fifos(home));
    options.start_fd = fifos.start.get();
    options.report_fd = fifos.result.get();
  }
  auto container = TRY(runtime::Container::create(options));
  for (const auto& warning : options.warnings) warn(warning);
  if (container.program_error()) return *container.program_error();

  Record record;
  record.oci_version = spec::oci::kRuntimeSpecVersion;
  record.id = id;
  record.pid = container.process().pid();
  record.start_time = process_start_time(record.pid);
  record.bundle = bundle;
  record.rootfs = options.config.root ? sys::join_path(bundle, options.config.root->path) : "";
  record.cgroup_path = container.cgroup().path();
  record.owner = "root";
  record.created = now();
  record.annotations = options.config.annotations;
  TRY(home.save(record));
  if (flags.has("pid-file")) TRY(sys::replace_file(flags.get("pid-file"), std::to_string(record.pid), 0644));
  if (flags.has("pidfd-socket"))
    TRY(send_to_socket(flags.get("pidfd-socket"), container.process().pidfd(), "pidfd"));
  if (flags.has("console-socket")) {
    const auto console = container.take_console();
    TRY(send_to_socket(flags.get("console-socket"), console, "/dev/ptmx"));
  }
  return Made{std::move(home), std::move(record), std::move(options.config), std::move(container),
              std::move(undo)};
}

/// Everything that a container leaves: the cgroup with whatever still runs in it, the state, and the poststop
/// hooks' say.
Result<void> clean_up(const Home& home, const Record& record) {
  const auto cgroup = TRY(cgroup_of(record));
  if (cgroup.exists()) {
    const auto left = cgroup.processes();
    if (left && !left->empty()) (void)cgroup.signal_all(SIGKILL);
    TRY(cgroup.remove());
  }
  const auto config = home.load_config();
  TRY(home.remove());
  if (config && config->hooks)
    if (const auto result =
            runtime::run_all_hooks(config->hooks->poststop, "poststop", state_of(record, Status::Stopped));
        !result)
      warn(result.error().message());
  return {};
}

Result<void> run_poststart(const spec::oci::Runtime& config, const Record& record) {
  if (!config.hooks) return {};
  return runtime::run_hooks(config.hooks->poststart, "poststart", state_of(record, Status::Running));
}

}  // namespace

Result<int> create(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, kCreateFlags));
  auto made = TRY(make(global, flags, Mode::Create));
  made.container.detach();
  made.undo.dismiss();
  return 0;
}

Result<int> run(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, kCreateFlags));
  const bool detached = flags.has("detach");
  if (!detached) hold_signals();
  auto made = TRY(make(global, flags, detached ? Mode::Detached : Mode::Foreground));
  const auto console = made.container.take_console();
  TRY(made.container.start());
  if (auto hooks = run_poststart(made.config, made.record); !hooks) {
    (void)made.container.process().signal(SIGKILL);
    (void)made.container.process().wait();
    made.undo.dismiss();
    (void)clean_up(made.home, made.record);
    return std::move(hooks).error();
  }
  made.undo.dismiss();
  if (detached) return 0;
  const int code = TRY(stay_with(made.container.process(), console));
  if (!flags.has("keep")) TRY(clean_up(made.home, made.record));
  return code;
}

Result<int> start(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, {}));
  if (flags.arguments().size() != 1)
    return Error(Kind::InvalidArgument, "exactly one argument is wanted: the container's id");
  const Home home(global.root, flags.arguments().front());
  const auto record = TRY(home.load());
  const auto status = status_of(home, record);
  if (status == Status::Stopped) return Error(Kind::Conflict, "cannot start a container that has stopped");
  if (status != Status::Created) return Error(Kind::Conflict, "cannot start an already running container");
  const auto process = TRY(process_of(record));
  const auto result = TRY(sys::open_file(home.result_fifo(), O_RDONLY | O_NONBLOCK));
  const auto release = TRY(sys::open_file(home.start_fifo(), O_WRONLY | O_NONBLOCK));
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
  const auto config = TRY(home.load_config());
  if (auto hooks = run_poststart(config, record); !hooks) {
    (void)process.signal(SIGKILL);
    return std::move(hooks).error();
  }
  return 0;
}

Result<int> remove(const Global& global, const Words& words) {
  const auto flags = TRY(Flags::parse(words, {{"force", 'f'}}));
  if (flags.arguments().size() != 1)
    return Error(Kind::InvalidArgument, "exactly one argument is wanted: the container's id");
  const bool force = flags.has("force");
  const Home home(global.root, flags.arguments().front());
  auto record = home.load();
  if (!record) {
    if (!force || record.error().kind() != Kind::NotFound) return std::move(record).error();
    TRY(home.remove());
    return 0;
  }
  const auto status = status_of(home, *record);
  if ((status == Status::Running || status == Status::Paused) && !force)
    return fail(Kind::Conflict, "cannot delete container {} that is not stopped: {}", home.id(),
                to_string(status));
  if (status != Status::Stopped) {
    if (const auto process = process_of(*record)) {
      (void)process->signal(SIGKILL);
      if (status == Status::Paused)
        if (const auto cgroup = cgroup_of(*record)) (void)cgroup->freeze(false);
      // Not our child: the pidfd becomes readable when it ends.
      constexpr int kPatienceMilliseconds = 10'000;
      pollfd entry = {process->pidfd().get(), POLLIN, 0};
      while (::poll(&entry, 1, kPatienceMilliseconds) < 0 && errno == EINTR) {
      }
    }
  }
  TRY(clean_up(home, *record));
  return 0;
}

}  // namespace skiff::oci
