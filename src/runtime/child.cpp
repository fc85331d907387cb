#include "runtime/child.h"

#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "sys/socket.h"
#include "sys/syscalls.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

namespace skiff::runtime::child {
namespace {

void fill(Packet& packet, const char* detail) {
  std::strncpy(packet.detail, detail, sizeof packet.detail - 1);
}

/// Signals of the parent must neither be blocked nor handled here.
void reset_signals() {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number)
    if (number != SIGKILL && number != SIGSTOP) ::sigaction(number, &action, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void join_cgroups(const Context& context, const std::vector<sys::Fd>& tasks) {
  for (const auto& fd : tasks)
    if (::write(fd.get(), "0", 1) < 0) fail(context, Step::JoinCgroup, errno);
}

/// Files in /proc of a process that may not be looked into belong to the host's root, which a new user
/// namespace does not have. So for these moments it may, where nobody is who could: in a pid namespace of its
/// own, or with an ordinary user's rights. Root of another container in a shared pid namespace owns the user
/// namespace as much as our own root does.
class DumpableForNow {
 public:
  explicit DumpableForNow(const Plan& plan) {
    if ((plan.new_namespaces & CLONE_NEWPID) != 0 || plan.deny_setgroups)
      ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
  ~DumpableForNow() { ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }
  DumpableForNow(const DumpableForNow&) = delete;
  DumpableForNow& operator=(const DumpableForNow&) = delete;
};

/// A time namespace is for one's children, and takes its offsets only while it has no member
/// (time_namespaces(7)). Joining it then saves the second fork.
void enter_new_time(const Context& context) {
  if (::unshare(CLONE_NEWTIME) != 0) fail(context, Step::TimeNamespace, errno, "unshare");
  const std::string& offsets = context.plan->time_offsets;
  if (!offsets.empty()) {
    const DumpableForNow dumpable(*context.plan);
    const int fd = ::openat(context.procfs, "self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || ::write(fd, offsets.data(), offsets.size()) < 0)
      fail(context, Step::TimeNamespace, errno, "write the offsets");
    ::close(fd);
  }
  const int own = ::openat(context.procfs, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
  if (own < 0 || ::setns(own, CLONE_NEWTIME) != 0) fail(context, Step::TimeNamespace, errno, "join");
  ::close(own);
}

/// Those that could not be joined before birth.
void join_late_namespaces(const Context& context) {
  const sys::Fd& time = context.process->time_namespace;
  if (time && ::setns(time.get(), CLONE_NEWTIME) != 0) fail(context, Step::TimeNamespace, errno, "join");
  const sys::Fd& cgroup = context.process->cgroup_namespace;
  if (cgroup && ::setns(cgroup.get(), CLONE_NEWCGROUP) != 0)
    fail(context, Step::JoinNamespace, errno, "cgroup");
}

void enter_namespaces(const Context& context) {
  const Plan& plan = *context.plan;
  if (plan.new_namespaces & CLONE_NEWUSER) {
    const DumpableForNow dumpable(plan);
    tell(context, Message::MappingsWanted);
    expect(context, Message::MappingsWritten);
  }
  if (context.process->user_namespace) {
    if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) fail(context, Step::BecomeRoot, errno);
  }
  if (plan.new_cgroup_namespace && ::unshare(CLONE_NEWCGROUP) != 0) fail(context, Step::UnshareCgroup, errno);
  if (plan.new_time_namespace) enter_new_time(context);
  join_late_namespaces(context);
}

/// Every new network namespace has its loopback up, as with other runtimes; links are the caller's affair.
void raise_loopback(const Context& context) {
  if ((context.plan->new_namespaces & CLONE_NEWNET) == 0) return;
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request = {};
  std::strncpy(request.ifr_name, "lo", sizeof request.ifr_name);
  request.ifr_flags = IFF_UP;
  if (socket < 0 || ::ioctl(socket, SIOCSIFFLAGS, &request) != 0) fail(context, Step::Loopback, errno);
  ::close(socket);
}

void await_runtime_hooks(const Context& context) {
  tell(context, Message::NamespacesReady);
  expect(context, Message::HooksDone);
}

void name_host(const Context& context) {
  const Plan& plan = *context.plan;
  if (!plan.hostname.empty() && ::sethostname(plan.hostname.c_str(), plan.hostname.size()) != 0)
    fail(context, Step::Hostname, errno, plan.hostname.c_str());
  if (!plan.domainname.empty() && ::setdomainname(plan.domainname.c_str(), plan.domainname.size()) != 0)
    fail(context, Step::Domainname, errno, plan.domainname.c_str());
}

/// In somebody else's mount namespace.
void change_root(Context& context) {
  const RootPlan& root = context.plan->root;
  if (!root.bind_path.empty() && ::chroot(root.bind_path.c_str()) != 0)
    fail(context, Step::MountRoot, errno, root.bind_path.c_str());
  if (::chdir("/") != 0) fail(context, Step::MountRoot, errno, "/");
  run_container_hooks(context, context.plan->create_container);
  if (context.process->terminal) open_console(context, AT_FDCWD, false);
}

/// Through the host's /proc, which nothing in the container can have replaced, and without following links:
/// a sysctl is a plain file, and a write must not end anywhere else.
void write_sysctls(const Context& context) {
  for (const auto& [path, value] : context.plan->sysctl) {
    const int fd = sys::raw::openat2(context.procfs, path.c_str(), O_WRONLY, 0,
                                     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
    if (fd < 0 || ::write(fd, value.data(), value.size()) < 0)
      fail(context, Step::Sysctl, errno, path.c_str() + 4);
    ::close(fd);
  }
}

}  // namespace

bool PathBuffer::set(const char* first, const char* second, const char* third) {
  const std::size_t a = std::strlen(first);
  const std::size_t b = std::strlen(second);
  const std::size_t c = std::strlen(third);
  if (a + b + c >= sizeof text) {
    errno = ENAMETOOLONG;
    return false;
  }
  std::memcpy(text, first, a);
  std::memcpy(text + a, second, b);
  std::memcpy(text + a + b, third, c + 1);
  return true;
}

void fail(const Context& context, Step step, int code, const char* detail) {
  Packet packet;
  packet.message = Message::Failed;
  packet.step = step;
  packet.code = code;
  fill(packet, detail);
  (void)!::write(context.report, &packet, sizeof packet);
  ::_exit(1);
}

void warn(const Context& context, Step step, int code, const char* detail) {
  Packet packet;
  packet.message = Message::Warning;
  packet.step = step;
  packet.code = code;
  fill(packet, detail);
  (void)!::write(context.socket, &packet, sizeof packet);
}

void tell(const Context& context, Message message) {
  Packet packet;
  packet.message = message;
  if (::write(context.socket, &packet, sizeof packet) < 0)
    fail(context, Step::Handshake, errno, "write to the parent");
}

void hand_over(const Context& context, Message message, int fd) {
  Packet packet;
  packet.message = message;
  const int fds[] = {fd};
  if (sys::send_with_fds(context.socket, {reinterpret_cast<const char*>(&packet), sizeof packet}, fds) < 0)
    fail(context, Step::Handshake, errno, "hand over a descriptor");
}

void expect(const Context& context, Message message) {
  Packet packet;
  ssize_t size = 0;
  do size = ::read(context.socket, &packet, sizeof packet);
  while (size < 0 && errno == EINTR);
  if (size < 0) fail(context, Step::Handshake, errno, "read from the parent");
  if (size == 0) ::_exit(1);  // a parent that is gone wants no container any more
  if (size != sizeof packet || packet.message != message)
    fail(context, Step::Handshake, EPROTO, "unexpected message");
}

void run_container(const Plan& plan, int socket) {
  Context context;
  context.plan = &plan;
  context.process = &plan.process;
  context.socket = context.report = socket;
  context.procfs = plan.procfs.get();
  reset_signals();
  // Until execve this is a copy of our own memory: nobody in the container may look into it.
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (plan.cgroup_by_systemd) {
    tell(context, Message::CgroupWanted);
    expect(context, Message::CgroupJoined);
  }
  join_cgroups(context, plan.tasks);
  enter_namespaces(context);
  raise_loopback(context);
  if (::setsid() < 0 && errno != EPERM) fail(context, Step::Session, errno);
  if (plan.runtime_hooks) await_runtime_hooks(context);
  name_host(context);
  if (plan.new_mounts)
    set_up_root(context);
  else
    change_root(context);
  write_sysctls(context);
  become(context);
  execute(context, true);
}

void run_exec(const ProcessPlan& process, const std::vector<sys::Fd>& tasks, int socket, int procfs) {
  Context context;
  context.process = &process;
  context.socket = context.report = socket;
  context.procfs = procfs;
  reset_signals();
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  join_cgroups(context, tasks);
  if (process.initial_cpus && ::sched_setaffinity(0, sizeof(cpu_set_t), &*process.initial_cpus) != 0)
    fail(context, Step::Scheduler, errno, "initial CPU affinity");
  if (process.user_namespace && (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0))
    fail(context, Step::BecomeRoot, errno);
  join_late_namespaces(context);
  // setns(2) left us at the root of the mount namespace.
  if (::fchdir(process.root.get()) != 0 || ::chroot(".") != 0)
    fail(context, Step::PivotRoot, errno, "chroot");
  if (::setsid() < 0 && errno != EPERM) fail(context, Step::Session, errno);
  if (process.terminal) {
    const int root = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    open_console(context, root, false);
    ::close(root);
  }
  become(context);
  execute(context, false);
}

}  // namespace skiff::runtime::child
