#pragma once

#include <linux/filter.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/container.h"
#include "runtime/seccomp_filter.h"
#include "spec/oci_runtime.h"
#include "sys/capabilities.h"
#include "sys/cgroup.h"
#include "sys/fd.h"
#include "sys/overlay.h"

/// Everything the child does, decided before it exists: it only reads this, and allocates nothing.
namespace skiff::runtime {

/// A vector of strings together with the null-terminated array that execve(2) wants.
class CStrings {
 public:
  CStrings() = default;
  explicit CStrings(std::vector<std::string> strings) : strings_(std::move(strings)) { point(); }
  CStrings(CStrings&& other) noexcept : strings_(std::move(other.strings_)) { point(); }
  CStrings& operator=(CStrings&& other) noexcept {
    strings_ = std::move(other.strings_);
    point();
    return *this;
  }
  char* const* array() const { return const_cast<char* const*>(pointers_.data()); }
  const std::vector<std::string>& strings() const { return strings_; }
  bool empty() const { return strings_.empty(); }

 private:
  void point() {
    pointers_.clear();
    for (const auto& text : strings_) pointers_.push_back(text.c_str());
    pointers_.push_back(nullptr);
  }
  std::vector<std::string> strings_;
  std::vector<const char*> pointers_{nullptr};
};

/// Length of the last environment entry when HOME is to be looked up in the container: "HOME=/" and zeros to
/// write over.
inline constexpr std::size_t kHomeSpace = 1024;

struct MountStep {
  enum class Action : std::uint8_t {
    Filesystem,  ///< fsopen, fsconfig, fsmount, attach
    Bind,        ///< open_tree of `source`, attach
    Remount,     ///< change the attributes of what is mounted at `destination`
    Link,  ///< a symbolic link at `destination` to `source` (cgroup v1 controllers that share a hierarchy)
  };
  Action action = Action::Filesystem;
  std::string destination;  ///< absolute, cleaned
  std::string type;
  std::string source;
  std::vector<sys::FilesystemOption> options;
  bool superblock_readonly = false;
  bool recursive = false;  ///< rbind
  std::uint64_t set = 0;   ///< MOUNT_ATTR_* of this mount
  std::uint64_t clear = 0;
  std::uint64_t set_recursive = 0;  ///< MOUNT_ATTR_* of the whole tree ("rro" ...)
  std::uint64_t clear_recursive = 0;
  std::uint64_t propagation = 0;  ///< MS_PRIVATE ...
  std::uint64_t propagation_recursive = 0;
  bool over_proc = false;  ///< one of the few files below /proc that may be covered
  bool optional = false;   ///< a failure is passed over (cgroup views)
  /// The source of a Bind that the parent has cloned already (Plan::trees owns it).
  int tree = -1;
  /// What prepare_mount made, in the child's own copy of this.
  mutable int prepared = -1;
  enum class IdMap : std::uint8_t { None, Mount, Tree };
  IdMap idmap = IdMap::None;  ///< a Bind that shows other owners
  bool copy_up = false;       ///< a tmpfs that starts with what the root has at `destination`
  bool copy_symlink = false;  ///< a Bind whose source, when it is a link, is made again instead
};

struct RootPlan {
  std::vector<MountStep> mounts;  ///< first the root itself; further ones below it
  std::string bind_path;          ///< a directory as root, when `mounts` is empty
  sys::Fd tree;                   ///< `bind_path`, cloned by the parent for a user namespace
  bool readonly = false;
  bool no_pivot = false;
  unsigned long propagation = 0;        ///< of the host's tree while we leave it, with MS_REC
  unsigned long final_propagation = 0;  ///< of the container's root
};

struct DeviceStep {
  std::string directory;
  std::string name;
  mode_t mode = 0;  ///< type and permissions
  dev_t device = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  sys::Fd node;  ///< made by the parent for a user namespace, and bound
};

struct LinkStep {
  std::string directory;
  std::string name;
  std::string target;
};

struct RlimitStep {
  int resource = 0;
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
  std::string name;
};

struct HookStep {
  std::string title;  ///< "createContainer hook #0"
  std::string path;
  CStrings arguments;
  CStrings environment;
  std::optional<int> timeout_seconds;
};

/// The part that a container's first process and an exec'd one share.
struct ProcessPlan {
  CStrings arguments;
  CStrings environment;
  std::string search_path;  ///< the value of PATH in `environment`
  bool has_search_path = false;
  std::string cwd;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
  bool keep_groups = false;  ///< ours stay
  std::optional<mode_t> umask;
  bool has_capabilities = true;
  sys::CapabilitySets capabilities;
  int last_capability = 40;
  bool no_new_privileges = false;
  SeccompFilter seccomp;
  std::vector<RlimitStep> rlimits;
  std::string oom_score;   ///< text for /proc/self/oom_score_adj, or ""
  std::string label;       ///< text for the attribute file, or ""
  std::string label_file;  ///< "self/attr/apparmor/exec", relative to /proc
  bool terminal = false;
  winsize size = {};
  Streams streams;
  bool init = false;
  int preserve_fds = 0;         ///< descriptors from 3 on that the program keeps
  bool user_namespace = false;  ///< setgroups may be denied there
  bool new_keyring = true;
  sys::Fd root;  ///< exec: the container's, which without a mount namespace of its own is below another
  sys::Fd time_namespace;  ///< to join: only the process itself can, whose memory is nobody else's
  /// To join once the process is in its cgroup: from inside, a host with nsdelegate lets nobody in from
  /// outside.
  sys::Fd cgroup_namespace;
  std::optional<cpu_set_t> initial_cpus;  ///< exec: until it is in its cgroup
  std::optional<cpu_set_t> final_cpus;    ///< exec: of the program
  std::optional<unsigned long> personality;
  std::optional<int> io_priority;
  std::optional<spec::oci::Scheduler> scheduler;
  int scheduler_policy = 0;
  unsigned scheduler_flags = 0;
};

struct JoinedNamespace {
  sys::Fd fd;
  int flag = 0;
  std::string type;
};

struct Plan {
  ProcessPlan process;
  unsigned long new_namespaces = 0;  ///< CLONE_NEW*; without CLONE_NEWCGROUP
  bool new_cgroup_namespace = false;
  bool new_time_namespace = false;
  std::string time_offsets;             ///< lines for /proc/self/timens_offsets
  std::vector<JoinedNamespace> joined;  ///< in the order in which they are joined
  std::string uid_map;
  std::string gid_map;
  bool deny_setgroups = false;
  RootPlan root;
  bool new_mounts = false;  ///< has a mount namespace of its own; without one the root is only changed into
  std::vector<MountStep> mounts;
  std::vector<sys::Fd> trees;
  bool set_up_dev = true;  ///< /dev is ours to fill
  std::vector<DeviceStep> devices;
  std::vector<LinkStep> links;
  std::vector<std::string> masked;
  std::vector<std::string> readonly;
  std::vector<std::pair<std::string, std::string>> sysctl;  ///< path below /proc, value
  std::string hostname;
  std::string domainname;
  std::vector<HookStep> create_container;
  std::vector<HookStep> start_container;
  std::vector<std::string> warnings;  ///< what the configuration says and is not done
  bool runtime_hooks = false;         ///< the child waits for HooksDone
  sys::Fd hook_state;                 ///< a file in memory; holds the state as JSON once HooksDone is said
  bool cgroup_by_systemd = false;     ///< the child waits for CgroupJoined
  std::vector<sys::Fd> tasks;         ///< version 1 `tasks` files, and cgroup.procs where clone3 cannot enter
  sys::Fd unified;                    ///< directory for CLONE_INTO_CGROUP
  sys::Fd procfs;                     ///< the host's /proc, verified
  int start_fd = -1;                  ///< Start is read here instead of the socket (`create`, then `start`)
  int report_fd = -1;                 ///< and failures of execve are written here
};

/// Decides everything from the configuration. Pure but for opening namespaces, /proc and looking at the
/// host's cgroup layout.
Result<Plan> make_plan(const CreateOptions& options, const sys::Cgroup& cgroup);
/// The process part alone, for exec.
Result<ProcessPlan> make_process_plan(const spec::oci::Process& process);
/// The devices of a container, those that every one has among them; absolute, sorted, each once.
std::vector<std::string> device_paths(const spec::oci::Linux& config);
/// Takes out the capabilities that we do not have ourselves and so cannot give, as runc does; inside a user
/// namespace there are all of them. Called once plan.user_namespace is known.
void limit_capabilities(ProcessPlan& plan);
/// "/proc" of the host, verified to be procfs: writes to it cannot be redirected by what a container mounted
/// over it.
Result<sys::Fd> open_procfs();

}  // namespace skiff::runtime
