#pragma once

#include <string>

#include "base/result.h"
#include "cmd/oci/flags.h"
#include "cmd/oci/notify.h"
#include "sys/fd.h"
#include "sys/spawn.h"

namespace skiff::oci {

/// Sends a descriptor to the unix stream socket at `path`, as --console-socket and --pidfd-socket want it.
Result<void> send_to_socket(const std::string& path, const sys::Fd& fd, std::string_view name);

/// What --console-socket and a terminal have to do with each other; InvalidArgument names the one that is
/// missing.
Result<void> check_console(const Flags& flags, bool terminal, bool detached);

/// Blocks every signal, so that those that come while the container is being made are forwarded later and
/// none is lost.
void hold_signals();
/// Stays with `process` until it ends: forwards signals, and when `console` is valid relays between it and
/// our own terminal, which is in raw mode meanwhile. With `notify`, an open one, we are the service's process
/// once the program is ready. Returns the exit code, 128 + signal for a signalled one.
Result<int> stay_with(const sys::Process& process, const sys::Fd& console, NotifySocket* notify = nullptr);

}  // namespace skiff::oci
