#include "cmd/oci/record.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::oci {

void describe(json::Fields& f, Record& record) {
  f("ociVersion", record.oci_version);
  f("id", record.id);
  f("init_process_pid", record.pid);
  f("init_process_start", record.start_time);
  f("bundle", record.bundle);
  f("rootfs", record.rootfs);
  f("cgroup_path", record.cgroup_path);
  f("systemd_unit", record.unit, json::Omit::Empty);
  f("owner", record.owner);
  f("created", record.created);
  f("annotations", record.annotations, json::Omit::Empty);
  f("external_descriptors", record.external_descriptors, json::Omit::Empty);
}

std::string_view to_string(Status status) {
  switch (status) {
    case Status::Created:
      return "created";
    case Status::Running:
      return "running";
    case Status::Paused:
      return "paused";
    case Status::Stopped:
      return "stopped";
  }
  return "unknown";
}

Result<void> Home::create() const {
  TRY(sys::make_directories(root_, 0700));
  if (::mkdir(path_.c_str(), 0711) == 0) return {};
  if (errno == EEXIST) return Error(Kind::Conflict, "container with given ID already exists");
  return fail_errno("create {}", path_);
}

Result<void> Home::remove() const {
  TRY(check_id(id_));
  for (const char* name : {"/state.json", "/config.json"}) ::unlink((path_ + name).c_str());
  if (::rmdir(path_.c_str()) == 0 || errno == ENOENT) return {};
  return sys::remove_tree(path_);  // which says what is the matter
}

Result<void> Home::save(const Record& record) const {
  return sys::replace_file(path_ + "/state.json", json::encode(record), 0600);
}

Result<Record> Home::load() const {
  TRY(check_id(id_));
  auto text = sys::read_file(path_ + "/state.json");
  if (!text && text.error().kind() == Kind::NotFound)
    return Error(Kind::NotFound, "container does not exist");
  return json::decode<Record>(TRY(std::move(text)));
}

/// Nobody looks for it before there is a state.
Result<void> Home::save_config(std::string_view text) const {
  return sys::write_all(
      TRY(sys::open_file(path_ + "/config.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600)), text);
}

Result<spec::oci::Runtime> Home::load_config() const {
  return json::decode<spec::oci::Runtime>(TRY(sys::read_file(path_ + "/config.json")));
}

Result<void> check_id(const std::string& id) {
  constexpr std::string_view kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-.";
  if (id.empty()) return Error(Kind::InvalidArgument, "container id cannot be empty");
  if (id.find_first_not_of(kAllowed) != std::string::npos || id == "." || id == ".." || id.size() > 1024)
    return fail(Kind::InvalidArgument, "invalid container ID format: {}", id);
  return {};
}

Result<sys::CgroupLayout> cgroup_layout() {
  static const auto layout = sys::CgroupLayout::detect();
  return layout;
}

Result<sys::Cgroup> cgroup_of(const Record& record) {
  return sys::Cgroup(TRY(cgroup_layout()), record.cgroup_path);
}

Result<std::uint64_t> process_start_time(int pid) {
  const auto text = sys::read_file(fmt::format("/proc/{}/stat", pid));
  if (!text && (text.error().kind() == Kind::NotFound || text.error().code() == ESRCH))
    return std::uint64_t{0};
  if (!text) return text.error().with_context(fmt::format("read the start time of process {}", pid));
  // The name in brackets may hold spaces and brackets itself: fields count from the last bracket.
  const auto bracket = text->rfind(") ");
  if (bracket == std::string::npos) return std::uint64_t{0};
  const auto fields = split(std::string_view(*text).substr(bracket + 2), ' ');
  constexpr std::size_t kStartTime = 19;
  if (fields.size() <= kStartTime || fields[0] == "Z" || fields[0] == "X") return std::uint64_t{0};
  return parse_uint(fields[kStartTime]).value_or(0);
}

Result<sys::Process> process_of(const Record& record) {
  const auto gone = [] { return Error(Kind::NotFound, "container not running"); };
  if (record.pid <= 0) return gone();
  // The pidfd is taken first: if the times agree afterwards it is the right process, and stays it.
  auto process = sys::Process::open(record.pid);
  if (!process && process.error().kind() == Kind::NotFound) return gone();
  if (!process) return process;
  if (TRY(process_start_time(record.pid)) != record.start_time) return gone();
  return process;
}

Status status_of(const Home& home, const Record& record) {
  // A process that cannot be looked at is not taken for gone: delete would forget it.
  if (record.pid <= 0 || process_start_time(record.pid).value_or(record.start_time) != record.start_time)
    return Status::Stopped;
  if (const auto cgroup = cgroup_of(record))
    if (const auto frozen = cgroup->frozen(); frozen && *frozen) return Status::Paused;
  return sys::exists(home.start_fifo()) ? Status::Created : Status::Running;
}

spec::oci::State state_of(const Record& record, Status status) {
  spec::oci::State state;
  state.oci_version = record.oci_version;
  state.id = record.id;
  state.status = to_string(status);
  state.pid = status == Status::Stopped ? 0 : record.pid;
  state.bundle = record.bundle;
  state.annotations = record.annotations;
  return state;
}

}  // namespace skiff::oci
