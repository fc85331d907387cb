#include "runtime/checkpoint.h"

#include <sys/stat.h>
#include <unistd.h>

#include "runtime/checkpoint_image.h"
#include "runtime/criu.h"
#include "runtime/external_mounts.h"
#include "sys/file.h"

namespace skiff::runtime {
namespace {

/// "net[4026532]:extRootNetNS" for each that is not the container's own: left alone, and expected at the
/// restore.
Result<void> name_external_namespaces(const spec::oci::Runtime& config, pid_t pid, criu::Options& options) {
  for (const auto& kind : kExternalNamespaces) {
    if (namespace_path(config, kind.type).empty()) continue;
    const auto path = fmt::format("/proc/{}/ns/{}", pid, kind.proc_name);
    struct stat info = {};
    if (::stat(path.c_str(), &info) != 0) return fail_errno("stat {}", path);
    options.external.push_back(fmt::format("{}[{}]:{}", kind.proc_name, info.st_ino, kind.key));
  }
  return {};
}

/// What criu has to know about the container.
Result<criu::Options> options_for(const Checkpoint& wanted, const spec::oci::Runtime& config,
                                  const std::string& rootfs, const sys::Process& process,
                                  const sys::Cgroup& cgroup) {
  auto options = wanted.image.wishes;
  options.pid = process.pid();
  options.root = rootfs;
  options.freeze_cgroup = cgroup.freezer_directory();
  TRY(name_external_namespaces(config, process.pid(), options));
  // Memory alone needs no mounts.
  if (wanted.pre_dump) return options;
  const auto root = TRY(sys::open_file(fmt::format("/proc/{}/root", process.pid()), O_PATH | O_DIRECTORY));
  for (auto& mount : TRY(external_mounts_to_dump(config, cgroup, root)))
    options.external.push_back(std::move(mount));
  return options;
}

/// The other side of --status-fd: a byte, once, and the end of the stream.
void report_ready(int& status_fd) {
  if (status_fd < 0) return;
  (void)!::write(status_fd, "", 1);
  ::close(std::exchange(status_fd, -1));
}

}  // namespace

Result<void> checkpoint(const Checkpoint& wanted, const spec::oci::Runtime& config, const std::string& rootfs,
                        const sys::Process& process, const sys::Cgroup& cgroup) {
  auto criu = TRY(Criu::start({}));
  TRY(criu.require({.memory_tracking = wanted.pre_dump, .lazy_pages = wanted.image.wishes.lazy_pages}));
  auto options = TRY(options_for(wanted, config, rootfs, process, cgroup));
  const auto directories = TRY(enter_image(wanted.image, config, criu, false, options));
  if (!wanted.pre_dump) TRY(save_descriptors(wanted.image, wanted.descriptors));
  const bool was_frozen = cgroup.frozen().value_or(false);
  int status_fd = wanted.status_fd;
  auto dumped = criu.perform(wanted.pre_dump ? criu::Type::PreDump : criu::Type::Dump, options,
                             [&](Criu::Notification& notification) {
                               if (notification.script == "status-ready") report_ready(status_fd);
                               return success();
                             });
  // After a pre-dump it would wait for the next one, and takes our leaving for a failure.
  const auto status = criu.finish();
  if (dumped && !wanted.pre_dump && status && *status != 0)
    dumped = fail(Kind::Internal, "criu failed: wait status {:#x}", *status);
  if (dumped) return {};
  // It lets go of the processes even when it is killed, but not of their cgroup.
  if (!was_frozen && cgroup.frozen().value_or(false)) (void)cgroup.freeze(false);
  return with_log(std::move(dumped).error(), wanted.image, false);
}

}  // namespace skiff::runtime
