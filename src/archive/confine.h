#pragma once

#include "base/result.h"

namespace skiff::archive {

/// Gives up every system call but those that work on open files and below open directories, for good
/// (seccomp(2), no_new_privs). What is not on the list fails with EPERM: execve, socket, ptrace, mount,
/// chroot, setns, clone, kill and whatever the kernel learns later. Memory can be mapped, but never as code.
/// All threads of the process are confined; none can be made afterwards.
Result<void> confine_process();

}  // namespace skiff::archive
