#pragma once

#include <cerrno>

#include "runtime/handshake.h"
#include "runtime/plan.h"

/// The code between clone and execve. Everything here runs in the child, allocates nothing, takes no lock,
/// and ends in execve or _exit: the child is a copy of its parent, and whatever the parent's other code would
/// do (destructors, TRY, exit handlers) must not happen twice. Failures are reported as a Packet.
namespace skiff::runtime::child {

/// The child's ends of the handshake.
struct Context {
  const Plan* plan = nullptr;  ///< null for exec
  const ProcessPlan* process = nullptr;
  int socket = -1;
  int report = -1;   ///< where failures go: the socket, and for `create` a fifo once it has ended
  int procfs = -1;   ///< the host's /proc
  int root = -1;     ///< the container's root, while it is not yet "/"
  int console = -1;  ///< the pty's slave
};

/// Reports the failure of `step` with `code` and ends the process.
[[noreturn]] void fail(const Context& context, Step step, int code, const char* detail = "");
void warn(const Context& context, Step step, int code, const char* detail = "");
void tell(const Context& context, Message message);
/// Sends a packet that carries `fd`.
void hand_over(const Context& context, Message message, int fd);
/// Waits for exactly `message`; a parent that is gone ends the child.
void expect(const Context& context, Message message);

/// A path buffer on the stack; what does not fit is ENAMETOOLONG.
struct PathBuffer {
  char text[4096];
  bool set(const char* first, const char* second = "", const char* third = "");
};

// child_paths.cpp: destinations inside the container's root. All return a descriptor or -1 with errno.
int open_inside(int root, const char* path, std::uint64_t flags, std::uint64_t resolve = 0);
/// Opens `path` as O_PATH; what is missing is made: directories on the way, and a directory or an empty file
/// at the end.
int make_inside(int root, const char* path, bool directory);

// child_rootfs.cpp
/// Mounts everything, fills /dev, masks, and makes the container's root this process's root.
void set_up_root(Context& context);

// child_mounts.cpp
void make_mount(const Context& context, const MountStep& step);
/// Makes the detached mount of a Filesystem or Bind before its turn; make_mount then only attaches it.
void prepare_mount(const Context& context, const MountStep& step);
/// Makes the detached mount of `step` (Filesystem or Bind); the caller attaches it.
int detached_mount(const Context& context, const MountStep& step);

// child_copy_up.cpp
/// Fills the detached mount `to` with what the directory `from` (O_PATH) holds; `name` is for messages.
void copy_up(const Context& context, const char* name, int from, int to);

// child_protect.cpp
void mask_paths(const Context& context);
void protect_paths(const Context& context);

// child_console.cpp
/// Opens a pty on the devpts inside `root`, hands the master to the parent and keeps the slave. `bind` puts
/// it on /dev/console.
void open_console(Context& context, int root, bool bind);
void take_streams(const Context& context);

// child_process.cpp
/// What is the container's first process and the exec'd one alike: session, streams, limits, rights.
void become(Context& context);
/// Says Ready (with the verdict on the program), waits for Start, and executes. `wait` is false for exec.
[[noreturn]] void execute(Context& context, bool wait);

// child_hooks.cpp
/// Runs each to its end with the state that the parent left in Plan::hook_state on standard input; the first
/// that fails ends the container.
void run_container_hooks(const Context& context, const std::vector<HookStep>& hooks);

// child.cpp
/// The container's first process.
[[noreturn]] void run_container(const Plan& plan, int socket);
/// A further process.
[[noreturn]] void run_exec(const ProcessPlan& process, const std::vector<sys::Fd>& tasks, int socket,
                           int procfs);

}  // namespace skiff::runtime::child
