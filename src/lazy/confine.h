#pragma once

#include "base/result.h"

namespace skiff::lazy {

/// What a process that unpacks bytes from a registry needs no more once its mounts stand: all capabilities;
/// every file that it would write or make (Landlock; where the kernel has none, not that); other programs and
/// processes, the machine's sockets, owners and modes of files (seccomp(2): EPERM). For good. Before there
/// are threads.
Result<void> confine_server();

}  // namespace skiff::lazy
