#include "runtime/container.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/json.h"
#include "base/undo.h"
#include "runtime/cgroup.h"
#include "runtime/child.h"
#include "runtime/handshake.h"
#include "runtime/hooks.h"
#include "runtime/launch.h"
#include "runtime/oom_score.h"
#include "runtime/plan.h"
#include "runtime/seccomp.h"
#include "runtime/seccomp_listener.h"
#include "runtime/systemd_unit.h"
#include "sys/cgroup.h"
#include "sys/file.h"
#include "sys/path.h"
#include "sys/socket.h"

namespace skiff::runtime {
namespace {

struct ChildStart {
  const Plan* plan;
  int socket;
};

void child_entry(void* argument) {
  const auto* start = static_cast<const ChildStart*>(argument);
  child::run_container(*start->plan, start->socket);
}

Result<void> write_proc_file(pid_t pid, const char* name, const std::string& text) {
  return sys::write_existing(fmt::format("/proc/{}/{}", pid, name), text);
}

Result<void> write_mappings(const Plan& plan, pid_t pid) {
  if (plan.deny_setgroups) TRY(write_proc_file(pid, "setgroups", "deny"));
  TRY(write_proc_file(pid, "gid_map", plan.gid_map));
  return write_proc_file(pid, "uid_map", plan.uid_map);
}

spec::oci::State state_for_hooks(const CreateOptions& options, pid_t pid, std::string status = "creating") {
  spec::oci::State state;
  state.id = options.id;
  state.status = std::move(status);
  state.pid = pid;
  state.bundle = options.bundle;
  state.annotations = options.config.annotations;
  return state;
}

const spec::oci::Resources& resources_of(const CreateOptions& options) {
  static const spec::oci::Resources none;
  const auto& part = options.config.linux_;
  return part && part->resources ? *part->resources : none;
}

/// An error at the other end: the child has sent its last words, or has died without any.
Error explain_loss(const sys::Process& process, Error error) {
  if (error.kind() != Kind::Unavailable) return error;
  const auto status = process.wait();
  if (status && WIFSIGNALED(*status))
    return Error(Kind::Internal,
                 fmt::format("the container's first process was ended by signal {} during its set-up",
                             WTERMSIG(*status)));
  return Error(Kind::Internal, "the container's first process ended during its set-up");
}

Result<SeccompFilter> filter_of(CreateOptions& options) {
  auto& part = options.config.linux_;
  if (options.seccomp_profile.empty() || !part)
    return part && part->seccomp ? seccomp_filter(*part->seccomp, options.seccomp_cache) : SeccompFilter();
  auto filter = TRY(seccomp_filter(options.seccomp_profile, options.seccomp_cache));
  // Where to hand the listener to is not in the filter.
  if (filter.listener) part->seccomp = TRY(json::decode<spec::oci::Seccomp>(options.seccomp_profile));
  return filter;
}

}  // namespace

struct Container::State {
  sys::Process process;
  sys::Fd socket;
  sys::Fd console;
  std::optional<sys::Cgroup> cgroup;
  std::optional<SystemdUnit> unit;
  bool unit_started = false;
  SeccompFilter seccomp;
  std::optional<std::chrono::milliseconds> patience;  ///< what is left of it
  std::optional<Error> program_error;
  UndoStack undo;  ///< kills the child and removes the cgroup while the program has not started

  Result<Received> next();
  Result<void> attend(CreateOptions& options, const Plan& plan);
  Result<bool> answer(CreateOptions& options, const Plan& plan, Received received);
  Result<void> run_runtime_hooks(const CreateOptions& options, const Plan& plan);
  Result<void> enter_unit(const CreateOptions& options);
  void leave_unit() const;
};

Container::Container(std::unique_ptr<State> state) : state_(std::move(state)) {}
Container::Container(Container&&) noexcept = default;
Container& Container::operator=(Container&&) noexcept = default;
Container::~Container() = default;

const sys::Process& Container::process() const { return state_->process; }
sys::Fd Container::take_console() { return std::move(state_->console); }
const sys::Cgroup& Container::cgroup() const { return *state_->cgroup; }
const std::string& Container::unit() const {
  static const std::string none;
  return state_->unit ? state_->unit->name : none;
}
const SeccompFilter& Container::seccomp() const { return state_->seccomp; }
const std::optional<Error>& Container::program_error() const { return state_->program_error; }
void Container::detach() { state_->undo.dismiss(); }

bool keeps_groups(const spec::oci::Runtime& config) {
  const auto found = config.annotations.find("run.oci.keep_original_groups");
  return found != config.annotations.end() && found->second != "0";
}

std::string cgroup_path_of(const spec::oci::Runtime& config, const std::string& id) {
  if (config.linux_ && !config.linux_->cgroups_path.empty())
    return sys::clean_path("/" + config.linux_->cgroups_path).substr(1);
  return id;
}

/// systemd moves the process into the cgroup that it makes. With version 1 that is one of its own, and those
/// of the controllers are ours to make.
Result<void> Container::State::enter_unit(const CreateOptions& options) {
  const bool unified = cgroup->layout().pure_unified();
  TRY(start_unit(*unit, options.id, process.pid(), resources_of(options), unified));
  unit_started = true;
  TRY(cgroup->create(::geteuid() != 0));
  TRY(apply_resources(*cgroup, resources_of(options)));
  return unified ? success() : cgroup->add(process.pid());
}

/// Once its process is gone.
void Container::State::leave_unit() const {
  if (unit_started) (void)stop_unit(unit->name);
  (void)cgroup->remove();
}

Result<void> Container::State::run_runtime_hooks(const CreateOptions& options, const Plan& plan) {
  const auto state = state_for_hooks(options, process.pid());
  // prestart hooks belong to `start` in the specification, which comes after "created".
  TRY(run_hooks(options.config.hooks->prestart, "prestart",
                state_for_hooks(options, process.pid(), "created")));
  TRY(run_hooks(options.config.hooks->create_runtime, "createRuntime", state));
  // The child's own hooks get the same state, in a file that it inherited: annotations have no limit, and a
  // message would have one. No hook can write the next one's state.
  TRY(sys::write_all(plan.hook_state, json::encode(state)));
  if (::fcntl(plan.hook_state.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) !=
      0)
    return fail_errno("seal the state for the hooks");
  return send(socket, Message::HooksDone);
}

/// One message of the child; true when it was the last one before start().
Result<bool> Container::State::answer(CreateOptions& options, const Plan& plan, Received received) {
  const Packet& packet = received.packet;
  switch (packet.message) {
    case Message::CgroupWanted:
      TRY_CONTEXT(enter_unit(options), "unable to apply cgroup configuration");
      TRY(send(socket, Message::CgroupJoined));
      return false;
    case Message::MappingsWanted:
      TRY_CONTEXT(write_mappings(plan, process.pid()), "map user ids");
      TRY(send(socket, Message::MappingsWritten));
      return false;
    case Message::NamespacesReady:
      TRY(run_runtime_hooks(options, plan));
      return false;
    case Message::Console:
      console = std::move(received.fd);
      return false;
    case Message::SeccompListener:
      TRY(send_seccomp_listener(*options.config.linux_->seccomp, state_for_hooks(options, process.pid()),
                                received.fd));
      return false;
    case Message::Warning:
      options.warnings.push_back(describe_failure(packet).message());
      return false;
    case Message::Ready:
      if (packet.code != 0) program_error = describe_failure(packet);
      return true;
    case Message::Failed:
      return describe_failure(packet);
    default:
      return fail(Kind::Internal, "the container's first process sent {}, which is not its to send",
                  to_string(packet.message));
  }
}

/// The child's next message. Unavailable: there will be none. Internal: patience is at its end.
Result<Received> Container::State::next() {
  using Clock = std::chrono::steady_clock;
  while (patience) {
    const auto begin = Clock::now();
    pollfd entry = {socket.get(), POLLIN, 0};
    const int ready = ::poll(&entry, 1, static_cast<int>(patience->count()));
    if (ready < 0 && errno != EINTR) return fail_errno("poll");
    *patience -=
        std::min(*patience, std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin));
    if (ready > 0) break;
    if (patience->count() == 0)
      return Error(
          Kind::Internal,
          "the container's first process stands still during its set-up: others in its pid namespace may "
          "have stopped it");
  }
  return receive(socket);
}

Result<void> Container::State::attend(CreateOptions& options, const Plan& plan) {
  for (;;) {
    auto received = next();
    if (!received) return explain_loss(process, std::move(received).error());
    if (TRY(answer(options, plan, *std::move(received)))) return {};
  }
}

Result<Container> Container::create(CreateOptions& options) {
  auto state = std::make_unique<State>();
  state->patience = options.patience;
  if (options.systemd_cgroup) state->unit = TRY(find_unit(options.config, options.id));
  const auto path = state->unit                   ? state->unit->cgroup
                    : options.cgroup_path.empty() ? cgroup_path_of(options.config, options.id)
                                                  : options.cgroup_path;
  if (!options.cgroup_layout) options.cgroup_layout = TRY(sys::CgroupLayout::detect());
  sys::Cgroup& cgroup = state->cgroup.emplace(*options.cgroup_layout, path);
  auto plan = TRY(make_plan(options, cgroup));
  options.warnings.insert(options.warnings.end(), plan.warnings.begin(), plan.warnings.end());
  plan.process.seccomp = state->seccomp = TRY(filter_of(options));
  // The undo stack lies in the state itself, whose address stays.
  if (state->unit) {
    plan.cgroup_by_systemd = true;
    state->undo.add([raw = state.get()] { raw->leave_unit(); });
  } else {
    if (TRY(cgroup.create(::geteuid() != 0))) state->undo.add([cgroup] { (void)cgroup.remove(); });
    TRY(apply_resources(cgroup, resources_of(options)));
    plan.tasks = TRY(cgroup.open_tasks());
    plan.unified = TRY(cgroup.open_unified());
  }

  sys::Fd null;
  for (int* stream : {&plan.process.streams.in, &plan.process.streams.out, &plan.process.streams.err}) {
    if (*stream >= 0 || plan.process.terminal) continue;
    if (!null) null = TRY(sys::open_file("/dev/null", O_RDWR));
    *stream = null.get();
  }
  auto [ours, theirs] = TRY(sys::packet_pair());
  state->socket = std::move(ours);
  ChildStart start = {&plan, theirs.get()};
  Birthplace place;
  place.joined = &plan.joined;
  place.new_namespaces = plan.new_namespaces;
  place.cgroup = plan.unified.get();
  const OomScoreForNow score(plan.process.user_namespace ? plan.process.oom_score : std::string());
  state->process = TRY(launch(place, child_entry, &start));
  theirs.reset();
  state->undo.add([raw = state.get()] {
    (void)raw->process.signal(SIGKILL);
    (void)raw->process.wait();
  });
  TRY(state->attend(options, plan));
  return Container(std::move(state));
}

Result<void> Container::start() {
  if (!state_->socket) return Error(Kind::Conflict, "the container has been started already");
  const auto sent = send(state_->socket, Message::Start);
  if (!sent && sent.error().code() != EPIPE) return sent;
  // The other end closes at execve: the end of the connection is the good news.
  auto received = state_->next();
  while (received && received->packet.message == Message::Warning) received = state_->next();
  // Unless it was closed before.
  if (!sent && !received) received = explain_loss(state_->process, std::move(received).error());
  if (received) {
    auto error = received->packet.message == Message::Failed
                     ? describe_failure(received->packet)
                     : fail(Kind::Internal, "unexpected {} after start", to_string(received->packet.message));
    state_->undo.run();
    return error;
  }
  if (received.error().kind() != Kind::Unavailable) {
    auto error = std::move(received).error();
    state_->undo.run();
    return error;
  }
  state_->socket.reset();
  state_->undo.dismiss();
  return {};
}

}  // namespace skiff::runtime
