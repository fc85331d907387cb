#include <poll.h>
#include <regex.h>
#include <signal.h>

#include "base/undo.h"
#include "cmd/oci/clean_up.h"
#include "cmd/oci/commands.h"
#include "runtime/hooks.h"
#include "runtime/systemd_unit.h"
#include "sys/file.h"

namespace skiff::oci {
namespace {

/// Kills the first process and waits for its end.
void end_process(const Record& record, Status status) {
  const auto process = process_of(record);
  if (!process) return;
  (void)process->signal(SIGKILL);
  if (status == Status::Paused)
    if (const auto cgroup = cgroup_of(record)) (void)cgroup->freeze(false);
  // Not our child: the pidfd becomes readable when it ends.
  constexpr int kPatienceMilliseconds = 10'000;
  pollfd entry = {process->pidfd().get(), POLLIN, 0};
  while (::poll(&entry, 1, kPatienceMilliseconds) < 0 && errno == EINTR) {
  }
}

Result<void> remove_one(const Home& home, bool force) {
  auto record = home.load();
  if (!record) {
    // Also what a runtime that was killed half way has left.
    if (!force || record.error().kind() != Kind::NotFound) return std::move(record).error();
    return home.remove();
  }
  const auto status = status_of(home, *record);
  if ((status == Status::Running || status == Status::Paused) && !force)
    return fail(Kind::Conflict, "cannot delete container {} that is not stopped: {}", home.id(),
                to_string(status));
  if (status != Status::Stopped) end_process(*record, status);
  return clean_up(home, *record);
}

Result<void> remove_matching(const Global& global, const std::string& expression, bool force) {
  regex_t compiled;
  if (::regcomp(&compiled, expression.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
    return fail(Kind::InvalidArgument, "invalid expression {}", expression);
  UndoStack undo;
  undo.add([&] { ::regfree(&compiled); });
  for (const auto& id : TRY(sys::list_directory(global.root)))
    if (!id.starts_with('.') && ::regexec(&compiled, id.c_str(), 0, nullptr, 0) == 0)
      TRY(remove_one(Home(global.root, id), force));
  return {};
}

}  // namespace

Result<void> clean_up(const Home& home, const Record& record, const spec::oci::Runtime& config) {
  const auto cgroup = TRY(cgroup_of(record));
  const auto left = cgroup.processes();
  if (left && !left->empty()) (void)cgroup.signal_all(SIGKILL);
  if (!record.unit.empty()) TRY(runtime::stop_unit(record.unit));
  TRY(cgroup.remove());
  TRY(home.remove());
  if (!config.hooks) return {};
  const auto result =
      runtime::run_all_hooks(config.hooks->poststop, "poststop", state_of(record, Status::Stopped));
  if (!result) warn(result.error().message());
  return {};
}

Result<void> clean_up(const Home& home, const Record& record) {
  // Without its configuration a container must still be removable.
  return clean_up(home, record, home.load_config().value_or(spec::oci::Runtime()));
}

Result<int> remove(const Global& global, const Flags& flags) {
  const auto& argument = flags.arguments().front();
  if (flags.has("regex"))
    TRY(remove_matching(global, argument, flags.has("force")));
  else
    TRY(remove_one(Home(global.root, argument), flags.has("force")));
  return 0;
}

}  // namespace skiff::oci
