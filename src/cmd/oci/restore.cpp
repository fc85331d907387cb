#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/undo.h"
#include "cmd/oci/bundle.h"
#include "cmd/oci/clean_up.h"
#include "cmd/oci/commands.h"
#include "cmd/oci/image.h"
#include "cmd/oci/record.h"
#include "cmd/oci/terminal.h"
#include "runtime/checkpoint.h"
#include "runtime/container.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::oci {
namespace {

/// Everything is there and stands still: who asks for the container finds it from now on.
Result<void> keep_record(const Home& home, const Flags& flags, Record& record, const sys::Process& process) {
  record.pid = process.pid();
  record.start_time = TRY(process_start_time(record.pid));
  record.created = now();
  record.external_descriptors = runtime::standard_descriptors(record.pid);
  TRY(home.save(record));
  if (flags.has("pid-file")) TRY(sys::replace_file(flags.get("pid-file"), std::to_string(record.pid), 0644));
  return {};
}

Record record_for(const Home& home, const runtime::RestoreOptions& options) {
  Record record;
  record.oci_version = spec::oci::kRuntimeSpecVersion;
  record.id = home.id();
  record.bundle = options.bundle;
  record.rootfs = options.rootfs;
  record.cgroup_path = options.cgroup_path;
  if (options.unit) record.unit = options.unit->name;
  record.owner = "root";
  record.annotations = options.config.annotations;
  return record;
}

}  // namespace

Result<int> restore(const Global& global, const Flags& flags) {
  const auto& id = flags.arguments().front();
  const bool detached = flags.has("detach");
  if (::geteuid() != 0) warn("restore is untested with rootless containers");
  runtime::RestoreOptions options;
  options.id = id;
  options.bundle = sys::join_path(sys::current_directory(), flags.get("bundle", "."));
  const auto text = TRY(read_config(flags, options.bundle));
  TRY(check_id(id));
  options.config = TRY(json::decode<spec::oci::Runtime>(text));
  TRY(spec::oci::validate(options.config));
  TRY(check_root(options.config, options.bundle));
  if (!options.config.process) return Error(Kind::InvalidArgument, "process property must not be empty");
  TRY(check_console(flags, options.config.process->terminal, detached));
  options.rootfs = sys::join_path(options.bundle, options.config.root->path);
  if (global.systemd_cgroup) options.unit = TRY(runtime::find_unit(options.config, id));
  options.cgroup_path = options.unit ? options.unit->cgroup : runtime::cgroup_path_of(options.config, id);
  options.image = TRY(image_of(flags));
  options.image.wishes.lsm_profile = flags.get("lsm-profile");
  options.image.wishes.lsm_mount_context = flags.get("lsm-mount-context");

  const Home home(global.root, id);
  UndoStack undo;
  TRY(home.create());
  undo.add([home] { (void)home.remove(); });
  TRY(check_cgroup({TRY(cgroup_layout()), options.cgroup_path}));
  TRY(home.save_config(text));
  options.mount_point = home.path() + "/criu-root";
  TRY(sys::make_directories(options.mount_point));
  auto record = record_for(home, options);
  options.restored = [&](const sys::Process& process) { return keep_record(home, flags, record, process); };
  if (!detached) hold_signals();
  auto restored = runtime::restore(options);
  if (!restored) {
    quote_log(restored.error(), runtime::criu_log(options.image, true));
    return std::move(restored).error();
  }
  ::rmdir(options.mount_point.c_str());
  if (flags.has("console-socket"))
    if (auto sent = send_to_socket(flags.get("console-socket"), restored->console, "/dev/ptmx"); !sent) {
      (void)restored->process.signal(SIGKILL);
      (void)restored->process.wait();
      (void)clean_up(home, record);
      return std::move(sent).error();
    }
  undo.dismiss();
  if (detached) return 0;
  const int code = TRY(stay_with(restored->process, restored->console));
  TRY(clean_up(home, record));
  return code;
}

}  // namespace skiff::oci
