// skiff-monitor: keeps one container. Started by skiffd only, which gives its end of a socket as
// descriptor 3. Its one argument is overwritten by the id of its container, for those who list processes.
// As /sbin/docker-init it is pid 1 of a container with --init that an external runtime has made.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "base/log.h"
#include "monitor/monitor.h"
#include "runtime/init.h"
#include "sys/file.h"

namespace {

constexpr int kDaemonSocket = 3;

/// Signals to the monitor do nothing: only its container's end, or its daemon, ends it. Handlers and not
/// SIG_IGN, which every program of the container would inherit through execve(2).
void disregard_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM}) {
    ::sigaction(signal, &action, nullptr);
  }
}

/// `docker-init -- PROGRAM [ARGUMENT ...]`, with the words and exit codes of Docker's, which is tini.
int run_as_init(char** words) {
  if (*words != nullptr && std::strcmp(*words, "--") == 0) ++words;
  if (*words == nullptr) {
    std::fputs("docker-init is started by an OCI runtime, with the program to run.\n", stderr);
    return 1;
  }
  if (const int code = skiff::runtime::split_off_program()) {
    std::fprintf(stderr, "[FATAL tini (%d)] fork failed: %s\n", ::getpid(), std::strerror(code));
    return 1;
  }
  ::execvp(*words, words);
  const int code = errno;
  std::fprintf(stderr, "[FATAL tini (%d)] exec %s failed: %s\n", ::getpid(), *words, std::strerror(code));
  return code == ENOENT ? 127 : code == EACCES ? 126 : 1;
}

skiff::Result<void> run(char* title) {
  using namespace skiff;
  auto loop = TRY(monitor::Loop::create());
  monitor::Monitor keeper(*loop, monitor::make_backend, {title, std::strlen(title)});
  TRY(keeper.open(sys::Fd(kDaemonSocket)));
  return loop->run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 0 && std::string_view(argv[0]).ends_with("/docker-init")) return run_as_init(argv + 1);
  struct stat status {};
  if (argc != 2 || ::fstat(kDaemonSocket, &status) != 0 || !S_ISSOCK(status.st_mode)) {
    std::fputs("skiff-monitor is started by skiffd, one for each container.\n", stderr);
    return 1;
  }
  ::fcntl(kDaemonSocket, F_SETFD, FD_CLOEXEC);
  ::prctl(PR_SET_NAME, "skiff-monitor");  // started from a descriptor, it would be called by its number
  disregard_signals();
  // The last to be killed when memory runs out. Refused without CAP_SYS_RESOURCE, which is no reason to stop.
  (void)skiff::sys::write_existing("/proc/self/oom_score_adj", "-999");
  if (auto done = run(argv[1]); !done) {
    skiff::log::error("{}", done.error().message());
    return 1;
  }
  return 0;
}
