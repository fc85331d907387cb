#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

/// The messages of `criu swrk`, which CRIU's other users speak too: protocol buffers of its images/rpc.proto,
/// of which the few members that a container runtime needs are written and read here
/// (docs/decisions/0024-criu-rpc.md).
namespace skiff::runtime::criu {

/// criu_req_type.
enum class Type : std::uint8_t {
  Dump = 1,
  Restore = 2,
  PreDump = 4,
  Notify = 6,
  FeatureCheck = 9,
  Version = 10,
};
/// As in CRIU's own messages: "DUMP".
std::string_view to_string(Type type);

/// criu_cg_mode: what of the cgroups is saved and brought back.
enum class CgroupMode : std::uint8_t { Ignore = 0, Soft = 3, Full = 4, Strict = 5, Default = 6 };

struct PageServer {
  std::string address;
  int port = 0;
};

/// A descriptor of the criu process that stands for what the image calls `key`.
struct InheritedDescriptor {
  std::string key;
  int fd = -1;
};

struct CgroupRoot {
  std::string controller;  ///< "memory", "name=systemd"; "" is version 2
  std::string path;
};

struct NamespaceToJoin {
  std::string name;  ///< "ipc"
  std::string path;
};

/// criu_opts. Descriptors are numbers in the process that made the socket: criu opens them through its /proc.
/// What is false, empty or -1 is not written.
struct Options {
  int images_directory = -1;
  int work_directory = -1;
  int pid = -1;  ///< of the first process to dump
  std::string log_file;
  std::string root;
  std::string parent_images;  ///< relative to the images; switches memory tracking on
  std::string freeze_cgroup;
  std::string config_file;
  std::string lsm_profile;
  std::string lsm_mount_context;
  bool leave_running = false;
  bool external_unix_sockets = false;
  bool tcp_established = false;
  bool tcp_skip_in_flight = false;
  bool tcp_close = false;
  bool evasive_devices = false;
  bool shell_job = false;
  bool file_locks = false;
  bool auto_dedup = false;
  bool link_remap = false;
  bool lazy_pages = false;
  bool restore_as_sibling = false;  ///< the restored process becomes a child of criu's parent
  CgroupMode cgroups = CgroupMode::Default;
  std::uint32_t empty_namespaces = 0;  ///< CLONE_NEW*
  std::optional<PageServer> page_server;
  std::vector<std::string> external;  ///< "mnt[/data]:/srv/data", "net[4026532]:name"
  std::vector<InheritedDescriptor> inherited;
  std::vector<CgroupRoot> cgroup_roots;
  std::vector<NamespaceToJoin> joined;
};

struct Features {
  bool memory_tracking = false;
  bool lazy_pages = false;
};

struct Request {
  Type type = Type::Version;
  std::optional<Options> options;
  std::optional<Features> features;    ///< asked for
  std::optional<bool> notify_success;  ///< answer to a Notify
  bool keep_open = false;              ///< another request follows
};
std::string encode(const Request& request);

struct Response {
  Type type = Type::Version;
  bool success = false;
  int error_number = 0;
  std::string script;  ///< of a Notify: "post-restore"
  int pid = 0;         ///< of a Notify: the first process
  Features features;
  int version = 0;  ///< 41203 for 4.12.3; a build between releases counts as the next minor one
};
/// InvalidArgument when `bytes` is no such message.
Result<Response> decode(std::string_view bytes);

}  // namespace skiff::runtime::criu
