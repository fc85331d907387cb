#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/plan.h"
#include "spec/oci_runtime.h"

namespace skiff::runtime {

/// Turns a profile into the program that the kernel runs at each system call. System calls that this machine
/// does not know are passed over; unknown actions, operators and architectures are InvalidArgument.
Result<std::vector<sock_filter>> compile_seccomp(const spec::oci::Seccomp& profile);

/// As compile_seccomp, but looks into `cache` (a directory; "" for none) first and leaves the program there.
/// A file there holds the profile it was made from, which is compared in full: a wrong filter is never used.
/// Failing to write the cache is no error.
Result<std::vector<sock_filter>> cached_seccomp(const spec::oci::Seccomp& profile, const std::string& cache);

/// The SECCOMP_FILTER_FLAG_* of a profile. InvalidArgument for unknown names.
Result<unsigned> seccomp_flags(const spec::oci::Seccomp& profile);

/// Fills the seccomp part of a process plan.
Result<void> plan_seccomp(const spec::oci::Seccomp& profile, const std::string& cache, ProcessPlan& plan);

}  // namespace skiff::runtime
