#include "monitor/log_compressor.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "sys/file.h"

namespace skiff::monitor {
namespace {

constexpr std::chrono::milliseconds kCalm{1000};

/// The child. It holds nothing of the container's, and gives way to everybody.
[[noreturn]] void work_and_exit(const LogCompressor::Work& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::close_range(3, ~0U, 0);
  const sched_param none{};
  ::sched_setscheduler(0, SCHED_IDLE, &none);
  ::setpriority(PRIO_PROCESS, 0, 19);
  (void)sys::write_existing("/proc/self/oom_score_adj", "500");
  auto done = work();
  if (!done) log::error("{}", done.error().message());
  ::_exit(done ? 0 : 1);
}

}  // namespace

void LogCompressor::schedule() {
  if (!watch_) calm_ = loop_.after(kCalm, [this] { begin(); });
}

void LogCompressor::begin() {
  calm_.reset();
  const auto work = next_();
  if (!work) return;
  const pid_t pid = ::fork();
  if (pid == 0) work_and_exit(*work);
  if (pid < 0) return;
  auto process = sys::Process::open(pid);
  if (!process) return;
  child_ = *std::move(process);
  if (auto watch = loop_.watch(child_.pidfd(), EPOLLIN, [this](std::uint32_t) { done(); }))
    watch_ = *std::move(watch);
}

void LogCompressor::done() {
  watch_.reset();
  const auto status = child_.wait();
  child_ = sys::Process();
  if (status && *status == 0) schedule();  // else there is no room now: with the next file
}

void LogCompressor::stop() {
  calm_.reset();
  watch_.reset();
  if (!child_.valid()) return;
  (void)child_.signal(SIGKILL);
  (void)child_.wait();
  child_ = sys::Process();
}

}  // namespace skiff::monitor
