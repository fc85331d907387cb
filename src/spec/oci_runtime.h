#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "spec/mount.h"

/// The OCI runtime specification 1.2: config.json (config.md, config-linux.md) and the state of a container
/// (runtime.md). Members keep the specification's names; what is optional there and has no neutral value is
/// std::optional here.
namespace skiff::spec::oci {

inline constexpr std::string_view kRuntimeSpecVersion = "1.2.1";

struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::optional<std::uint32_t> umask;
  std::vector<std::uint32_t> additional_gids;
  std::string username;

  friend bool operator==(const User&, const User&) = default;
};

struct ConsoleSize {
  std::uint32_t height = 0;
  std::uint32_t width = 0;

  friend bool operator==(const ConsoleSize&, const ConsoleSize&) = default;
};

/// Names such as "CAP_KILL".
struct Capabilities {
  std::vector<std::string> bounding;
  std::vector<std::string> effective;
  std::vector<std::string> inheritable;
  std::vector<std::string> permitted;
  std::vector<std::string> ambient;

  friend bool operator==(const Capabilities&, const Capabilities&) = default;
};

struct Rlimit {
  std::string type;  ///< "RLIMIT_NOFILE"
  std::uint64_t hard = 0;
  std::uint64_t soft = 0;

  friend bool operator==(const Rlimit&, const Rlimit&) = default;
};

struct IoPriority {
  std::string priority_class;  ///< "IOPRIO_CLASS_BE"
  int priority = 0;

  friend bool operator==(const IoPriority&, const IoPriority&) = default;
};

struct Scheduler {
  std::string policy;  ///< "SCHED_OTHER"
  std::int32_t nice = 0;
  std::int32_t priority = 0;
  std::vector<std::string> flags;
  std::uint64_t runtime = 0;
  std::uint64_t deadline = 0;
  std::uint64_t period = 0;

  friend bool operator==(const Scheduler&, const Scheduler&) = default;
};

struct CpuAffinity {
  std::string initial;
  std::string final;

  friend bool operator==(const CpuAffinity&, const CpuAffinity&) = default;
};

struct Process {
  bool terminal = false;
  std::optional<ConsoleSize> console_size;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd = "/";
  std::optional<Capabilities> capabilities;
  std::vector<Rlimit> rlimits;
  bool no_new_privileges = false;
  std::string apparmor_profile;
  std::optional<int> oom_score_adj;
  std::optional<Scheduler> scheduler;
  std::string selinux_label;
  std::optional<IoPriority> io_priority;
  std::optional<CpuAffinity> exec_cpu_affinity;

  friend bool operator==(const Process&, const Process&) = default;
};

struct Root {
  std::string path;
  bool readonly = false;

  friend bool operator==(const Root&, const Root&) = default;
};

struct IdMapping {
  std::uint32_t container_id = 0;
  std::uint32_t host_id = 0;
  std::uint32_t size = 0;

  friend bool operator==(const IdMapping&, const IdMapping&) = default;
};

/// One of config.mounts: a Mount that may be id-mapped.
struct Mount : spec::Mount {
  Mount() = default;
  explicit Mount(spec::Mount mount) : spec::Mount(std::move(mount)) {}
  Mount(std::string to, std::string kind, std::string from, std::vector<std::string> flags)
      : spec::Mount{std::move(to), std::move(kind), std::move(from), std::move(flags)} {}

  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
};

struct Hook {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int> timeout;  ///< seconds
};

struct Hooks {
  std::vector<Hook> prestart;
  std::vector<Hook> create_runtime;
  std::vector<Hook> create_container;
  std::vector<Hook> start_container;
  std::vector<Hook> poststart;
  std::vector<Hook> poststop;
};

struct Namespace {
  std::string type;  ///< "pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"
  std::string path;  ///< of an existing one to join, or "" for a new one

  friend bool operator==(const Namespace&, const Namespace&) = default;
};

struct Device {
  std::string path;
  std::string type;  ///< "c", "b", "u", "p"
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint32_t> file_mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;

  friend bool operator==(const Device&, const Device&) = default;
};

struct DeviceRule {
  bool allow = false;
  std::string type;                   ///< "a", "c", "b"; "" means all
  std::optional<std::int64_t> major;  ///< absent: all
  std::optional<std::int64_t> minor;
  std::string access;  ///< of "rwm"

  friend bool operator==(const DeviceRule&, const DeviceRule&) = default;
};

struct Memory {
  std::optional<std::int64_t> limit;
  std::optional<std::int64_t> reservation;
  std::optional<std::int64_t> swap;  ///< memory and swap together, as cgroup v1 counts
  std::optional<std::int64_t> kernel;
  std::optional<std::int64_t> kernel_tcp;
  std::optional<std::uint64_t> swappiness;
  std::optional<bool> disable_oom_killer;
  std::optional<bool> use_hierarchy;
  std::optional<bool> check_before_update;

  friend bool operator==(const Memory&, const Memory&) = default;
};

struct Cpu {
  std::optional<std::uint64_t> shares;
  std::optional<std::int64_t> quota;    ///< microseconds per period
  std::optional<std::uint64_t> burst;   ///< microseconds
  std::optional<std::uint64_t> period;  ///< microseconds
  std::optional<std::int64_t> realtime_runtime;
  std::optional<std::uint64_t> realtime_period;
  std::string cpus;
  std::string mems;
  std::optional<std::int64_t> idle;

  friend bool operator==(const Cpu&, const Cpu&) = default;
};

struct Pids {
  std::optional<std::int64_t> limit;

  friend bool operator==(const Pids&, const Pids&) = default;
};

struct WeightDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint16_t> weight;
  std::optional<std::uint16_t> leaf_weight;

  friend bool operator==(const WeightDevice&, const WeightDevice&) = default;
};

struct ThrottleDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint64_t rate = 0;  ///< bytes or operations a second

  friend bool operator==(const ThrottleDevice&, const ThrottleDevice&) = default;
};

struct BlockIo {
  std::optional<std::uint16_t> weight;
  std::optional<std::uint16_t> leaf_weight;
  std::vector<WeightDevice> weight_device;
  std::vector<ThrottleDevice> throttle_read_bps;
  std::vector<ThrottleDevice> throttle_write_bps;
  std::vector<ThrottleDevice> throttle_read_iops;
  std::vector<ThrottleDevice> throttle_write_iops;

  friend bool operator==(const BlockIo&, const BlockIo&) = default;
};

struct HugepageLimit {
  std::string page_size;  ///< "2MB"
  std::uint64_t limit = 0;

  friend bool operator==(const HugepageLimit&, const HugepageLimit&) = default;
};

struct InterfacePriority {
  std::string name;
  std::uint32_t priority = 0;

  friend bool operator==(const InterfacePriority&, const InterfacePriority&) = default;
};

struct NetworkResources {
  std::optional<std::uint32_t> class_id;
  std::vector<InterfacePriority> priorities;

  friend bool operator==(const NetworkResources&, const NetworkResources&) = default;
};

struct Rdma {
  std::optional<std::uint32_t> hca_handles;
  std::optional<std::uint32_t> hca_objects;

  friend bool operator==(const Rdma&, const Rdma&) = default;
};

struct Resources {
  std::vector<DeviceRule> devices;
  std::optional<Memory> memory;
  std::optional<Cpu> cpu;
  std::optional<Pids> pids;
  std::optional<BlockIo> block_io;
  std::vector<HugepageLimit> hugepage_limits;
  std::optional<NetworkResources> network;
  std::map<std::string, Rdma> rdma;
  std::map<std::string, std::string> unified;  ///< cgroup v2 files as they are

  friend bool operator==(const Resources&, const Resources&) = default;
};

struct SeccompArgument {
  std::uint32_t index = 0;
  std::uint64_t value = 0;
  std::uint64_t value_two = 0;
  std::string op;  ///< "SCMP_CMP_EQ"

  friend bool operator==(const SeccompArgument&, const SeccompArgument&) = default;
};

struct SeccompRule {
  std::vector<std::string> names;
  std::string action;  ///< "SCMP_ACT_ALLOW"
  std::optional<std::uint32_t> errno_ret;
  std::vector<SeccompArgument> args;

  friend bool operator==(const SeccompRule&, const SeccompRule&) = default;
};

struct Seccomp {
  std::string default_action;
  std::optional<std::uint32_t> default_errno_ret;
  std::vector<std::string> architectures;  ///< "SCMP_ARCH_X86_64"
  std::vector<std::string> flags;
  std::string listener_path;
  std::string listener_metadata;
  std::vector<SeccompRule> syscalls;

  friend bool operator==(const Seccomp&, const Seccomp&) = default;
};

struct IntelRdt {
  std::string clos_id;
  std::vector<std::string> schemata;
  std::string l3_cache_schema;
  std::string mem_bw_schema;
  bool enable_cmt = false;
  bool enable_mbm = false;
};

struct Personality {
  std::string domain;  ///< "LINUX", "LINUX32"
  std::vector<std::string> flags;
};

struct TimeOffset {
  std::int64_t secs = 0;
  std::uint32_t nanosecs = 0;
};

struct Linux {
  std::vector<IdMapping> uid_mappings;
  std::vector<IdMapping> gid_mappings;
  std::map<std::string, std::string> sysctl;
  std::optional<Resources> resources;
  std::string cgroups_path;
  std::vector<Namespace> namespaces;
  std::vector<Device> devices;
  std::optional<Seccomp> seccomp;
  std::string rootfs_propagation;
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;
  std::string mount_label;
  std::optional<IntelRdt> intel_rdt;
  std::optional<Personality> personality;
  std::map<std::string, TimeOffset> time_offsets;  ///< "monotonic", "boottime"
};

/// config.json.
struct Runtime {
  std::string oci_version = std::string(kRuntimeSpecVersion);
  std::optional<Process> process;
  std::optional<Root> root;
  std::string hostname;
  std::string domainname;
  std::vector<Mount> mounts;
  std::optional<Hooks> hooks;
  std::map<std::string, std::string> annotations;
  std::optional<Linux> linux_;  ///< "linux" itself is a macro of GNU compilers
};

/// What `state` prints and hooks get on standard input.
struct State {
  std::string oci_version = std::string(kRuntimeSpecVersion);
  std::string id;
  std::string status;  ///< "creating", "created", "running", "stopped"
  int pid = 0;         ///< 0 when there is none; not written then
  std::string bundle;
  std::map<std::string, std::string> annotations;
};

void describe(json::Fields& f, User& user);
void describe(json::Fields& f, ConsoleSize& size);
void describe(json::Fields& f, Capabilities& capabilities);
void describe(json::Fields& f, Rlimit& limit);
void describe(json::Fields& f, IoPriority& priority);
void describe(json::Fields& f, Scheduler& scheduler);
void describe(json::Fields& f, CpuAffinity& affinity);
void describe(json::Fields& f, Process& process);
void describe(json::Fields& f, Root& root);
void describe(json::Fields& f, IdMapping& mapping);
void describe(json::Fields& f, Mount& mount);
void describe(json::Fields& f, Hook& hook);
void describe(json::Fields& f, Hooks& hooks);
void describe(json::Fields& f, Namespace& space);
void describe(json::Fields& f, Device& device);
void describe(json::Fields& f, DeviceRule& rule);
void describe(json::Fields& f, Memory& memory);
void describe(json::Fields& f, Cpu& cpu);
void describe(json::Fields& f, Pids& pids);
void describe(json::Fields& f, WeightDevice& device);
void describe(json::Fields& f, ThrottleDevice& device);
void describe(json::Fields& f, BlockIo& io);
void describe(json::Fields& f, HugepageLimit& limit);
void describe(json::Fields& f, InterfacePriority& priority);
void describe(json::Fields& f, NetworkResources& network);
void describe(json::Fields& f, Rdma& rdma);
void describe(json::Fields& f, Resources& resources);
void describe(json::Fields& f, SeccompArgument& argument);
void describe(json::Fields& f, SeccompRule& rule);
void describe(json::Fields& f, Seccomp& seccomp);
void describe(json::Fields& f, IntelRdt& rdt);
void describe(json::Fields& f, Personality& personality);
void describe(json::Fields& f, TimeOffset& offset);
void describe(json::Fields& f, Linux& part);
void describe(json::Fields& f, Runtime& runtime);
void describe(json::Fields& f, State& state);

/// Checks what every runtime must refuse before it starts anything (config.md, config-linux.md): a process
/// with arguments and an absolute working directory, mount destinations, known namespaces without repetition,
/// hooks with absolute paths, schedulers, priorities, users outside the id mappings, time offsets without a
/// time namespace, seccomp actions that cannot work. InvalidArgument names the member. oci_validate.cpp.
Result<void> validate(const Runtime& runtime);
/// The part of validate() that an exec's process.json goes through too.
Result<void> validate(const Process& process);

/// "0-2,7" as numbers in ascending order; nothing for other texts or a CPU from 1024 on.
std::optional<std::vector<unsigned>> parse_cpu_list(std::string_view text);

}  // namespace skiff::spec::oci
