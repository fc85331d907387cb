#include <algorithm>
#include <array>

#include "cmd/oci/commands.h"

namespace skiff::oci {
namespace {

using enum Flag::Type;

constexpr std::string_view kId = "<container-id>";

// Tables that the compiler lays out: every container's start would pay for filling them.
template <std::size_t... N>
constexpr auto joined(const Flag (&... parts)[N]) {
  std::array<Flag, (N + ...)> all;
  auto at = all.begin();
  ((at = std::copy(parts, parts + N, at)), ...);
  return all;
}

/// Of all that make a container.
constexpr Flag kMakingFlags[] = {
    {"bundle", 'b', Text, "directory of the bundle (default: the current one)"},
    {"console-socket", 0, Text, "unix socket that gets the master end of the container's terminal"},
    {"pid-file", 0, Text, "file to write the process id to"},
    {"no-pivot", 0, Switch, "use chroot instead of pivot_root, for a root on a ramdisk"},
};
/// Of those that may also stay with it.
constexpr Flag kStayingFlags[] = {
    {"detach", 'd', Switch, "do not wait for the container's end"},
    {"no-subreaper", 0, Switch, "taken for compatibility"},
};

// crun's --config and --keep are taken wherever they make sense: Podman's users have them in scripts.
constexpr Flag kConfiguredFlags[] = {
    {"config", 'f', Text, "configuration to use instead of the bundle's config.json"},
    {"pidfd-socket", 0, Text, "unix socket that gets a pidfd of the first process"},
    {"no-new-keyring", 0, Switch, "keep the caller's session keyring"},
    {"preserve-fds", 0, Number, "number of further descriptors to pass on (after $LISTEN_FDS)"},
};
constexpr auto kCreateFlags = joined(kMakingFlags, kConfiguredFlags);

constexpr Flag kKeep[] = {{"keep", 0, Switch, "keep the container's state after its end"}};
constexpr auto kRunFlags = joined(kMakingFlags, kConfiguredFlags, kStayingFlags, kKeep);

constexpr Flag kExecFlags[] = {
    {"console-socket", 0, Text, "unix socket that gets the master end of the process's terminal"},
    {"pidfd-socket", 0, Text, "unix socket that gets a pidfd of the process"},
    {"cwd", 0, Text, "working directory in the container"},
    {"env", 'e', Text, "environment variable, NAME=value"},
    {"tty", 't', Switch, "give the process a terminal"},
    {"user", 'u', Text, "user, uid[:gid]"},
    {"additional-gids", 'g', Numbers, "further group id"},
    {"process", 'p', Text, "file with the process as in config.json"},
    {"detach", 'd', Switch, "do not wait for the process's end"},
    {"pid-file", 0, Text, "file to write the process id to"},
    {"process-label", 0, Text, "SELinux label of the process"},
    {"apparmor", 0, Text, "AppArmor profile of the process"},
    {"no-new-privs", 0, Switch, "set no_new_privs"},
    {"cap", 'c', Text, "capability to add"},
    {"preserve-fds", 0, Number, "number of further descriptors to pass on"},
    {"cgroup", 0, Text, "cgroup below the container's: [controller[,controller]:]path"},
    {"ignore-paused", 0, Switch, "exec in a paused container too"},
};

constexpr Flag kUpdateFlags[] = {
    {"resources", 'r', Text, "file with the resources as in config.json, - for standard input; alone"},
    {"blkio-weight", 0, Number, "block I/O weight, 10 to 1000"},
    {"cpu-period", 0, Text, "CPU period in microseconds"},
    {"cpu-quota", 0, Text, "CPU time in each period in microseconds"},
    {"cpu-burst", 0, Text, "CPU time that may be saved up in microseconds"},
    {"cpu-share", 0, Text, "CPU weight among containers"},
    {"cpu-rt-period", 0, Text, "realtime period in microseconds"},
    {"cpu-rt-runtime", 0, Text, "realtime CPU time in each period in microseconds"},
    {"cpuset-cpus", 0, Text, "CPUs to use"},
    {"cpuset-mems", 0, Text, "memory nodes to use"},
    {"kernel-memory", 0, Text, {}},
    {"kernel-memory-tcp", 0, Text, {}},
    {"memory", 0, Text, "memory limit in bytes"},
    {"cpu-idle", 0, Text, "1: run only when nobody else wants to"},
    {"memory-reservation", 0, Text, "memory that is left alone, in bytes"},
    {"memory-swap", 0, Text, "limit of memory and swap together, -1 for none"},
    {"pids-limit", 0, Number, "limit of processes"},
    {"l3-cache-schema", 0, Text, "Intel RDT L3 cache schema"},
    {"mem-bw-schema", 0, Text, "Intel RDT memory bandwidth schema"},
};

/// What checkpoint and restore must agree on.
constexpr Flag kImageFlags[] = {
    {"image-path", 0, Text, "directory of the image files"},
    {"work-path", 0, Text, "directory for logs and other files"},
    {"tcp-established", 0, Switch, "allow open TCP connections"},
    {"tcp-close", 0, Switch, "restore open TCP connections as closed"},
    {"ext-unix-sk", 0, Switch, "allow unix sockets that lead out"},
    {"shell-job", 0, Switch, "allow a terminal that is shared"},
    {"file-locks", 0, Switch, "take file locks along"},
    {"manage-cgroups-mode", 0, Text, "soft, full, strict or ignore"},
    {"empty-ns", 0, Text, "namespace to leave out, and to make anew (network)"},
    {"auto-dedup", 0, Switch, "drop pages that a later image has"},
    {"lazy-pages", 0, Switch, "memory stays where it is until it is asked for"},
};

constexpr Flag kDumpFlags[] = {
    {"parent-path", 0, Text, "directory of an earlier pre-dump, relative to the image files"},
    {"leave-running", 0, Switch, "let the container run on"},
    {"tcp-skip-in-flight", 0, Switch, "leave out connections that are being made"},
    {"link-remap", 0, Switch, "allow deleted files to be linked again"},
    {"status-fd", 0, Number, "descriptor that gets a zero byte once lazy pages are ready"},
    {"page-server", 0, Text, "ADDRESS:PORT of a page server"},
    {"pre-dump", 0, Switch, "write memory only, and let the container run on"},
};
constexpr auto kCheckpointFlags = joined(kImageFlags, kDumpFlags);

constexpr Flag kSecurityFlags[] = {
    {"lsm-profile", 0, Text, "security profile, TYPE:NAME"},
    {"lsm-mount-context", 0, Text, "security context of mounts"},
};
constexpr auto kRestoreFlags = joined(kImageFlags, kMakingFlags, kStayingFlags, kSecurityFlags);

constexpr Flag kDeleteFlags[] = {
    {"force", 'f', Switch, "kill it first when it is still running"},
    {"regex", 'r', Switch, "the argument is an expression that several ids may match"},
};
constexpr Flag kEventsFlags[] = {
    {"interval", 0, Duration, "time between two lines (default: 5s)"},
    {"stats", 0, Switch, "show one line and end"},
};
constexpr Flag kKillFlags[] = {{"all", 'a', Switch, {}}};
constexpr Flag kListFlags[] = {
    {"format", 'f', Text, "table or json (default: \"table\")"},
    {"quiet", 'q', Switch, "show ids only"},
};
constexpr Flag kPsFlags[] = {{"format", 'f', Text, "table or json (default: \"table\")"}};
constexpr Flag kSpecFlags[] = {
    {"bundle", 'b', Text, "directory to write it to"},
    {"rootless", 0, Switch, "make it one for an ordinary user"},
};

constexpr Command kCommands[] = {
    {"checkpoint", checkpoint, "save a running container with criu", kId, kCheckpointFlags, 1, 1},
    {"create", create, "create a container", kId, kCreateFlags, 1, 1, "skiff-runtime create failed", true},
    {"delete", remove, "delete what a container holds", kId, kDeleteFlags, 1, 1},
    {"events", events, "show counters of CPU, memory and I/O, and processes killed for memory", kId,
     kEventsFlags, 1, 1},
    {"exec", exec, "run a further process in a container",
     "<container-id> <command> [arguments...] || -p process.json <container-id>", kExecFlags, 1, kAnyNumber,
     "exec failed", true},
    {"features", features, "show what this runtime can do", "", {}, 0, 0},
    {"kill", kill, "send a signal (default: SIGTERM) to the container's first process",
     "<container-id> [signal]", kKillFlags, 1, 2},
    {"list", list, "list the containers below --root", "", kListFlags, 0, 0},
    {"pause", pause, "stop all processes of a container", kId, {}, 1, 1},
    {"ps", ps, "show the processes of a container", "<container-id> [ps options]", kPsFlags, 1, kAnyNumber},
    {"restore", restore, "bring a checkpointed container back", kId, kRestoreFlags, 1, 1},
    {"resume", resume, "let a paused container run on", kId, {}, 1, 1},
    {"run", run, "create and start a container", kId, kRunFlags, 1, 1, "skiff-runtime run failed", true},
    {"spec", spec, "write a config.json to start from", "", kSpecFlags, 0, 0},
    {"start", start, "start the program of a created container", kId, {}, 1, 1},
    {"state", state, "show the state of a container", kId, {}, 1, 1},
    {"update", update, "change the resources of a container", kId, kUpdateFlags, 1, 1},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

}  // namespace skiff::oci
