#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/strings.h"
#include "monitor/backend.h"
#include "runtime/cgroup.h"
#include "runtime/container.h"
#include "runtime/stats.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

/// The runtime library in this process.
class LibraryBackend final : public Backend {
 public:
  Result<void> create(runtime::CreateOptions options) override;
  const sys::Process& process() const override { return container_->process(); }
  sys::Fd take_console() override { return container_->take_console(); }
  std::string cgroup() const override { return container_->cgroup().path(); }
  Result<void> start() override { return container_->start(); }
  Result<runtime::PendingExec> exec(const spec::oci::Process& process,
                                    const runtime::Streams& streams) override;
  Result<void> pause(bool paused) override { return container_->cgroup().freeze(paused); }
  Result<void> update(const spec::oci::Resources& resources) override {
    return runtime::update_resources(container_->cgroup(), resources);
  }
  Result<std::string> stats() override;
  Result<std::vector<pid_t>> processes() override { return container_->cgroup().processes(); }
  std::uint64_t oom_kills() override;
  sys::Fd oom_watch() override;
  Result<void> remove() override;

 private:
  const sys::CgroupHierarchy* memory() const { return container_->cgroup().layout().find("memory"); }

  std::optional<runtime::Container> container_;
};

Result<void> LibraryBackend::create(runtime::CreateOptions options) {
  container_ = TRY(runtime::Container::create(options));
  for (const std::string& warning : options.warnings) log::warning("container {}: {}", options.id, warning);
  return success();
}

Result<runtime::PendingExec> LibraryBackend::exec(const spec::oci::Process& process,
                                                  const runtime::Streams& streams) {
  const runtime::ExecOptions options{.process = process,
                                     .streams = streams,
                                     .cgroup = &container_->cgroup(),
                                     .seccomp = container_->seccomp()};
  return runtime::PendingExec::begin(container_->process(), options);
}

Result<std::string> LibraryBackend::stats() {
  return json::encode(TRY(runtime::read_stats(container_->cgroup())));
}

/// "oom_kill N" stands in memory.events (version 2) or memory.oom_control (version 1).
std::uint64_t LibraryBackend::oom_kills() {
  const auto* hierarchy = memory();
  if (!hierarchy) return 0;
  const auto text =
      container_->cgroup().read("memory", hierarchy->unified ? "memory.events" : "memory.oom_control");
  if (!text) return 0;
  for (const std::string& line : split(*text, '\n')) {
    if (line.starts_with("oom_kill ")) return parse_uint(trim(std::string_view(line).substr(9))).value_or(0);
  }
  return 0;
}

sys::Fd LibraryBackend::oom_watch() {
  const auto* hierarchy = memory();
  if (!hierarchy) return {};
  const std::string directory = container_->cgroup().directory(*hierarchy);
  if (hierarchy->unified) {
    auto events = sys::open_file(directory + "/memory.events", O_RDONLY);
    return events ? *std::move(events) : sys::Fd();
  }
  auto control = sys::open_file(directory + "/memory.oom_control", O_RDONLY);
  sys::Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!control || !event.valid()) return {};
  const std::string subscription = fmt::format("{} {}", event.get(), control->get());
  if (!container_->cgroup().write("memory", "cgroup.event_control", subscription)) return {};
  return event;
}

Result<void> LibraryBackend::remove() {
  if (!container_) return success();
  const sys::Cgroup& cgroup = container_->cgroup();
  TRY(cgroup.remove_if_empty());
  if (!cgroup.exists()) return success();
  // Processes outlive pid 1 only where it was not the first of its pid namespace.
  TRY(cgroup.signal_all(SIGKILL));
  return cgroup.remove();
}

}  // namespace

std::unique_ptr<Backend> library_backend() { return std::make_unique<LibraryBackend>(); }

}  // namespace skiff::monitor
