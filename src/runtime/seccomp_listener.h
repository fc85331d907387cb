#pragma once

#include "base/result.h"
#include "spec/oci_runtime.h"
#include "sys/fd.h"

namespace skiff::runtime {

/// Hands a seccomp notification descriptor to the agent at profile.listener_path, with the container's
/// process state as the specification wants it (config-linux.md "Containerprocessstate").
Result<void> send_seccomp_listener(const spec::oci::Seccomp& profile, const spec::oci::State& state,
                                   const sys::Fd& listener);

}  // namespace skiff::runtime
