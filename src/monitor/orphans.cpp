#include "monitor/orphans.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/strings.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

constexpr std::chrono::milliseconds kSecondLook{100};

bool is_dead(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

/// proc(5): /proc/pid/task/tid/children, where the kernel has it; else nothing, and orphans stay until this
/// process ends.
std::set<pid_t> dead_children() {
  std::set<pid_t> dead;
  const auto text = sys::read_file(fmt::format("/proc/self/task/{}/children", ::gettid()));
  if (!text) return dead;
  for (const std::string& word : split(*text, ' ')) {
    const auto pid = parse_int(trim(word));
    if (pid && is_dead(static_cast<pid_t>(*pid))) dead.insert(static_cast<pid_t>(*pid));
  }
  return dead;
}

}  // namespace

bool is_own_child(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

Result<std::unique_ptr<Orphans>> Orphans::adopt(Loop& loop) {
  std::unique_ptr<Orphans> orphans(new Orphans(loop));
  TRY(orphans->open());
  return orphans;
}

Result<void> Orphans::open() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return fail_errno("become a subreaper");
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  ends_ = sys::Fd(::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!ends_) return fail_errno("signalfd");
  watch_ = TRY(loop_.watch(ends_, EPOLLIN, [this](std::uint32_t) {
    signalfd_siginfo info[16];
    while (::read(ends_.get(), info, sizeof info) > 0) {
    }
    if (!second_look_) look();
  }));
  return success();
}

void Orphans::look() {
  second_look_.reset();
  std::set<pid_t> dead = dead_children();
  std::erase_if(dead,
                [&](pid_t pid) { return seen_.contains(pid) && ::waitpid(pid, nullptr, WNOHANG) == pid; });
  seen_ = std::move(dead);
  if (!seen_.empty()) second_look_ = loop_.after(kSecondLook, [this] { look(); });
}

}  // namespace skiff::monitor
