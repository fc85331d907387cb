#include "cmd/oci/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strings.h"
#include "cmd/oci/commands.h"
#include "sys/socket.h"

namespace skiff::oci {
namespace {

// The names are runc's.
constexpr const char* kFolder = "/notify";
constexpr const char* kFile = "/notify.sock";
constexpr const char* kInside = "/run/notify";
constexpr std::chrono::seconds kManagerPatience{30};

/// Waits for one of them: true when it is the first.
Result<bool> wait_for_first(int first, int second) {
  pollfd entries[2] = {{first, POLLIN, 0}, {second, POLLIN, 0}};
  while (::poll(entries, 2, -1) < 0)
    if (errno != EINTR) return fail_errno("poll");
  return entries[0].revents != 0;
}

}  // namespace

std::optional<NotifySocket> NotifySocket::wanted(const Home& home) {
  const char* host = ::getenv("NOTIFY_SOCKET");
  if (!host || !*host) return std::nullopt;
  return NotifySocket(home.path() + kFolder, host);
}

Result<void> NotifySocket::add_to(spec::oci::Runtime& config) const {
  if (::mkdir(directory_.c_str(), 0755) != 0) return fail_errno("create {}", directory_);
  config.mounts.emplace_back(kInside, "bind", directory_,
                             std::vector<std::string>{"bind", "nosuid", "noexec", "nodev", "ro"});
  if (config.process) config.process->env.push_back(fmt::format("NOTIFY_SOCKET={}{}", kInside, kFile));
  return {};
}

Result<void> NotifySocket::open() {
  own_ = TRY(sys::bind_datagrams(directory_ + kFile, 0777));
  caller_ = TRY_CONTEXT(sys::connect_datagrams(host_), "NOTIFY_SOCKET");
  return {};
}

Result<void> NotifySocket::say(std::string_view text) const {
  if (sys::send_with_fds(caller_.get(), text, {}) < 0) return fail_errno("send to {}", host_);
  return {};
}

Result<bool> NotifySocket::pass_on(pid_t main) {
  char buffer[4096];
  const ssize_t size = ::recv(own_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  if (size < 0 && errno != EAGAIN && errno != EINTR) return fail_errno("receive from the container");
  if (size <= 0) return false;
  for (const auto& line : split(std::string_view(buffer, static_cast<std::size_t>(size)), '\n')) {
    if (!line.starts_with("READY=")) continue;
    // What else it says would fill the socket, as nobody reads it: it learns that instead.
    own_.reset();
    TRY(say(line + "\n"));
    TRY(say(fmt::format("MAINPID={}\n", main)));
    return true;
  }
  return false;
}

/// sd_notify_barrier(3): the manager closes the descriptor when it has come to this message.
Result<void> NotifySocket::wait_for_manager() const {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("pipe2");
  const sys::Fd ours(ends[0]);
  sys::Fd theirs(ends[1]);
  const int fds[] = {theirs.get()};
  if (sys::send_with_fds(caller_.get(), "BARRIER=1", fds) < 0) return fail_errno("send to {}", host_);
  theirs.reset();
  pollfd entry = {ours.get(), 0, 0};  // POLLHUP is always reported
  const auto patience = std::chrono::milliseconds(kManagerPatience);
  if (::poll(&entry, 1, static_cast<int>(patience.count())) == 0)
    warn("Timeout after waiting 30s for barrier. Ignored.");
  return {};
}

Result<void> NotifySocket::stay_with(const sys::Process& process) {
  while (TRY(wait_for_first(own_.get(), process.pidfd().get())))
    if (TRY(pass_on(process.pid()))) return wait_for_manager();
  return {};
}

}  // namespace skiff::oci
