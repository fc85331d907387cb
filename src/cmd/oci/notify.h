#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "cmd/oci/record.h"
#include "spec/oci_runtime.h"
#include "sys/fd.h"
#include "sys/spawn.h"

namespace skiff::oci {

/// Passes on that the program in a container is ready, when our caller (systemd, Podman) gave us a socket for
/// that (sd_notify(3)). As with runc, the program gets a socket of its own at /run/notify, and of what it
/// says only READY= goes on, followed by the pid that is the service from then on.
///
///     if (auto notify = NotifySocket::wanted(home)) {
///       TRY(notify->add_to(config));       // create and run: before the container is made
///       TRY(notify->open());               // start and run: before the program is started
///       TRY(notify->stay_with(process));   // after that, where the runtime ends before the program
///     }
class NotifySocket {
 public:
  /// Of the container whose state directory this is; nothing when $NOTIFY_SOCKET is not set.
  static std::optional<NotifySocket> wanted(const Home& home);

  /// Makes the socket's directory, and tells the configuration of it.
  Result<void> add_to(spec::oci::Runtime& config) const;
  Result<void> open();

  /// Where the program's words arrive; invalid before open() and once it has said that it is ready.
  const sys::Fd& socket() const { return own_; }
  /// Takes what has arrived. When the program is ready, says so, and that `main` is the service's process;
  /// true then.
  Result<bool> pass_on(pid_t main);
  /// Waits until the program is ready or has ended, and until the manager has taken note: it asks who a
  /// sender is, which must not have ended by then.
  Result<void> stay_with(const sys::Process& process);

 private:
  NotifySocket(std::string directory, std::string host)
      : directory_(std::move(directory)), host_(std::move(host)) {}

  Result<void> say(std::string_view text) const;
  Result<void> wait_for_manager() const;

  std::string directory_;  ///< of the program's socket
  std::string host_;       ///< our caller's
  sys::Fd own_;
  sys::Fd caller_;
};

}  // namespace skiff::oci
