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
  std::string cgroup() const override { return container_->cgroup_path(); }
  Result<void> start() override { return container_->start(); }
  Result<runtime::Executed> exec(const spec::oci::Process& process, const runtime::Streams& streams) override;
  Result<void> pause(bool paused) override { return cgroup_->freeze(paused); }
  Result<void> update(const spec::oci::Resources& resources) override {
    return runtime::update_resources(*cgroup_, resources);
  }
  Result<std::string> stats() override;
  Result<std::vector<pid_t>> processes() override { return cgroup_->processes(); }
  std::uint64_t oom_kills() override;
  sys::Fd oom_watch() override;
  Result<void> remove() override;

 private:
  const sys::CgroupHierarchy* memory() const { return cgroup_ ? cgroup_->layout().find("memory") : nullptr; }

  std::optional<runtime::Container> container_;
  std::optional<sys::Cgroup> cgroup_;
  std::string seccomp_;  ///< the container's profile as JSON, for exec: a tenth of the parsed one's size
  std::string seccomp_cache_;
};

Result<void> LibraryBackend::create(runtime::CreateOptions options) {
  if (options.config.linux_ && options.config.linux_->seccomp)
    seccomp_ = json::encode(*options.config.linux_->seccomp);
  seccomp_cache_ = options.seccomp_cache;
  container_ = TRY(runtime::Container::create(options));
  for (const std::string& warning : options.warnings) log::warning("container {}: {}", options.id, warning);
  cgroup_.emplace(TRY(sys::CgroupLayout::detect()), container_->cgroup_path());
  return success();
}

Result<runtime::Executed> LibraryBackend::exec(const spec::oci::Process& process,
                                               const runtime::Streams& streams) {
  runtime::ExecOptions options{
      .process = process, .streams = streams, .cgroup_path = container_->cgroup_path()};
  if (!seccomp_.empty()) options.seccomp = TRY(json::decode<spec::oci::Seccomp>(seccomp_));
  options.seccomp_cache = seccomp_cache_;
  return runtime::exec(container_->process(), options);
}

Result<std::string> LibraryBackend::stats() { return json::encode(TRY(runtime::read_stats(*cgroup_))); }

/// "oom_kill N" stands in memory.events (version 2) or memory.oom_control (version 1).
std::uint64_t LibraryBackend::oom_kills() {
  const auto* hierarchy = memory();
  if (!hierarchy) return 0;
  const auto text = cgroup_->read("memory", hierarchy->unified ? "memory.events" : "memory.oom_control");
  if (!text) return 0;
  for (const std::string& line : split(*text, '\n')) {
    if (line.starts_with("oom_kill ")) return parse_uint(trim(std::string_view(line).substr(9))).value_or(0);
  }
  return 0;
}

sys::Fd LibraryBackend::oom_watch() {
  const auto* hierarchy = memory();
  if (!hierarchy) return {};
  const std::string directory = cgroup_->directory(*hierarchy);
  if (hierarchy->unified) {
    auto events = sys::open_file(directory + "/memory.events", O_RDONLY);
    return events ? *std::move(events) : sys::Fd();
  }
  auto control = sys::open_file(directory + "/memory.oom_control", O_RDONLY);
  sys::Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!control || !event.valid()) return {};
  const std::string subscription = fmt::format("{} {}", event.get(), control->get());
  if (!cgroup_->write("memory", "cgroup.event_control", subscription)) return {};
  return event;
}

Result<void> LibraryBackend::remove() {
  if (!cgroup_) return success();
  // Processes outlive pid 1 only where it was not the first of its pid namespace.
  TRY(cgroup_->signal_all(SIGKILL));
  return cgroup_->remove();
}

}  // namespace

std::unique_ptr<Backend> library_backend() { return std::make_unique<LibraryBackend>(); }

}  // namespace skiff::monitor
