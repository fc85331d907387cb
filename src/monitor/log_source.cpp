#include "monitor/log_source.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>

namespace skiff::monitor {

Result<LogSource::Wake> LogSource::wait(std::chrono::milliseconds timeout, int interrupt) {
  bool fresh = false;
  if (!inotify_.valid()) {
    inotify_ = sys::Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify_.valid()) return fail_errno("inotify_init1");
    if (::inotify_add_watch(inotify_.get(), directory_.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0) {
      inotify_.reset();  // no directory yet: poll for it
      timeout = std::min(timeout, std::chrono::milliseconds(100));
    } else {
      fresh = true;
    }
  }
  // What was written before the watch existed woke nobody.
  if (fresh) return Wake::More;
  pollfd polls[2] = {{.fd = inotify_.get(), .events = POLLIN, .revents = 0},
                     {.fd = interrupt, .events = POLLIN | POLLRDHUP, .revents = 0}};
  const int count = ::poll(polls, 2, static_cast<int>(timeout.count()));
  if (count < 0 && errno != EINTR) return fail_errno("poll");
  if (count <= 0) return Wake::Timeout;
  if (polls[1].revents != 0) return Wake::Interrupted;
  char events[4096];
  while (::read(inotify_.get(), events, sizeof(events)) > 0) {
  }
  return Wake::More;
}

}  // namespace skiff::monitor
