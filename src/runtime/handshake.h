#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sys/fd.h"

/// What parent and child say to each other while a container is made; docs/runtime.md draws it. Every message
/// is one fixed-size packet, so that the child can send it with one write(2) and without memory of its own. A
/// peer that says something else than is expected is an error with both names in it.
namespace skiff::runtime {

enum class Message : std::uint8_t {
  // child to parent
  CgroupWanted,     ///< I am in none yet: have systemd put me into one
  MappingsWanted,   ///< I am in a user namespace of my own: write my uid_map and gid_map
  NamespacesReady,  ///< all namespaces exist, nothing is mounted: run prestart and createRuntime hooks
  Console,          ///< carries the pty's master (SCM_RIGHTS)
  SeccompListener,  ///< carries the seccomp notification descriptor (SCM_RIGHTS)
  Warning,          ///< `step` was refused with `code`, which does no harm
  Ready,   ///< everything is set up; `code` is not 0 when the program cannot be executed (step, detail)
  Failed,  ///< `step` failed with `code`; the child ends
  // parent to child
  CgroupJoined,
  MappingsWritten,
  HooksDone,  ///< the state for the child's own hooks stands in Plan::hook_state
  Start,      ///< execve now; success shows by the socket's end (close-on-exec)
};
std::string_view to_string(Message message);

/// What the child was doing; the parent makes a sentence of it.
enum class Step : std::uint8_t {
  Handshake,
  JoinCgroup,
  JoinNamespace,
  BecomeRoot,
  UnshareCgroup,
  TimeNamespace,
  Loopback,
  Session,
  Hostname,
  Domainname,
  Propagation,
  MountRoot,
  Mount,
  CreateDestination,
  Bind,
  CopyUp,
  CgroupLink,
  Device,
  DefaultLink,
  Console,
  MaskPath,
  ReadonlyPath,
  PivotRoot,
  ReadonlyRoot,
  Sysctl,
  OomScore,
  Label,
  Rlimit,
  Scheduler,
  WorkingDirectory,
  Streams,
  Seccomp,
  Groups,
  User,
  Capabilities,
  NoNewPrivileges,
  RootForHooks,  ///< createContainer hooks do not find the root
  HookSetUp,     ///< detail is what could not be done: "createContainer hook #0: fork/exec /x"
  Hook,          ///< detail says all: "createContainer hook #0: exit status 1"
  Personality,
  ProgramNotFound,  ///< not in $PATH
  ProgramStat,      ///< the path itself could not be looked at
  ProgramIsDirectory,
  ProgramDenied,  ///< no execute permission
  Execute,        ///< execve(2) itself
};

struct Packet {
  Message message = Message::Failed;
  Step step = Step::Handshake;
  std::int32_t code = 0;
  char detail[480] = {};  ///< a path or an explanation, zero-terminated
};

/// The failure that a packet reports, in words that a Docker user knows where there are any.
Error describe_failure(const Packet& packet);

/// A received packet with the descriptor that came along, if any.
struct Received {
  Packet packet;
  sys::Fd fd;
};
/// Parent: the next packet. Unavailable ("connection closed") when the other side is gone.
Result<Received> receive(const sys::Fd& socket);
Result<void> send(const sys::Fd& socket, Message message);

}  // namespace skiff::runtime
