#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "spec/oci_runtime.h"
#include "sys/cgroup.h"
#include "sys/spawn.h"

namespace skiff::oci {

/// What is kept of a container below --root: <root>/<id>/state.json, a copy of its config.json, and while it
/// waits for `start` the two fifos through which it is released and tells how that went.
struct Record {
  std::string oci_version;
  std::string id;
  int pid = 0;
  std::uint64_t start_time = 0;  ///< of the process, in ticks since boot: tells a recycled pid
  std::string bundle;
  std::string rootfs;
  std::string cgroup_path;
  std::string unit;  ///< systemd's, whose cgroup it is; "" with cgroups of our own
  std::string owner;
  Time created{};
  std::map<std::string, std::string> annotations;
  std::vector<std::string> external_descriptors;  ///< what its standard streams were in the beginning
};
void describe(json::Fields& f, Record& record);

enum class Status { Created, Running, Paused, Stopped };
std::string_view to_string(Status status);

/// The state directory of one container.
class Home {
 public:
  Home(std::string root, std::string id)
      : root_(std::move(root)), id_(std::move(id)), path_(root_ + "/" + id_) {}

  /// Makes the directory. Conflict: `container with given ID already exists`.
  Result<void> create() const;
  Result<void> remove() const;

  Result<void> save(const Record& record) const;
  /// NotFound: `container does not exist`.
  Result<Record> load() const;
  Result<void> save_config(std::string_view text) const;
  Result<spec::oci::Runtime> load_config() const;

  std::string start_fifo() const { return path_ + "/start.fifo"; }
  std::string result_fifo() const { return path_ + "/result.fifo"; }
  const std::string& path() const { return path_; }
  const std::string& id() const { return id_; }

 private:
  std::string root_;
  std::string id_;
  std::string path_;
};

/// InvalidArgument for ids that runc refuses.
Result<void> check_id(const std::string& id);
/// This machine's; looked for once.
Result<sys::CgroupLayout> cgroup_layout();
Result<sys::Cgroup> cgroup_of(const Record& record);
/// Looks at the process and the freezer.
Status status_of(const Home& home, const Record& record);
/// The first process; NotFound when it has ended or its pid belongs to another by now.
Result<sys::Process> process_of(const Record& record);
/// In ticks since boot; 0 when there is no such process, or only its zombie.
Result<std::uint64_t> process_start_time(int pid);
spec::oci::State state_of(const Record& record, Status status);

}  // namespace skiff::oci
