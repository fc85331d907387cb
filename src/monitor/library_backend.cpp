#include <signal.h>

#include "base/log.h"
#include "monitor/backend.h"
#include "monitor/container_cgroup.h"
#include "runtime/container.h"
#include "runtime/systemd_unit.h"
#include "sys/cgroup.h"

namespace skiff::monitor {
namespace {

class LibraryProgram final : public PendingProgram {
 public:
  explicit LibraryProgram(runtime::PendingExec exec) : exec_(std::move(exec)) {}

  const sys::Fd& ready() const override { return exec_.socket(); }
  Result<bool> advance() override { return exec_.advance(); }
  void give_up() override { (void)exec_.process().signal(SIGKILL); }
  runtime::Executed take() override { return exec_.take(); }
  std::vector<std::string> warnings() const override { return exec_.warnings(); }

 private:
  runtime::PendingExec exec_;
};

/// The runtime library in this process.
class LibraryBackend final : public Backend {
 public:
  Result<void> create(runtime::CreateOptions options) override;
  const sys::Process& process() const override { return container_->process(); }
  sys::Fd take_console() override { return container_->take_console(); }
  Result<void> start() override { return container_->start(); }
  Result<void> signal(int signal) override { return container_->process().signal(signal); }
  Result<std::unique_ptr<PendingProgram>> exec(const std::string& id, const spec::oci::Process& process,
                                               const runtime::Streams& streams) override;
  Result<void> pause(bool paused) override { return container_->cgroup().freeze(paused); }
  Result<void> update(const spec::oci::Resources& resources) override;
  Result<std::string> stats() override { return cgroup_stats(container_->cgroup()); }
  Result<std::vector<pid_t>> processes() override { return container_->cgroup().processes(); }
  std::uint64_t oom_kills() override { return cgroup_oom_kills(container_->cgroup()); }
  sys::Fd oom_watch() override { return cgroup_oom_watch(container_->cgroup()); }
  Result<void> remove() override {
    return container_ ? remove_cgroup(container_->cgroup(), container_->unit()) : success();
  }

 private:
  std::optional<runtime::Container> container_;
};

Result<void> LibraryBackend::create(runtime::CreateOptions options) {
  container_ = TRY(runtime::Container::create(options));
  for (const std::string& warning : options.warnings) log::warning("container {}: {}", options.id, warning);
  return success();
}

Result<void> LibraryBackend::update(const spec::oci::Resources& resources) {
  return runtime::update_limits(container_->cgroup(), container_->unit(), resources);
}

Result<std::unique_ptr<PendingProgram>> LibraryBackend::exec(const std::string&,
                                                             const spec::oci::Process& process,
                                                             const runtime::Streams& streams) {
  const runtime::ExecOptions options{.process = process,
                                     .streams = streams,
                                     .cgroup = &container_->cgroup(),
                                     .seccomp = container_->seccomp()};
  return std::make_unique<LibraryProgram>(TRY(runtime::PendingExec::begin(container_->process(), options)));
}

}  // namespace

std::unique_ptr<Backend> library_backend() { return std::make_unique<LibraryBackend>(); }

std::unique_ptr<Backend> make_backend(Loop& loop, const CreateRequest& request) {
  if (!request.runtime) return library_backend();
  return external_backend(loop, *request.runtime, external_directory(request.run_directory));
}

}  // namespace skiff::monitor
