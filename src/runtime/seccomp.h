#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/seccomp_filter.h"
#include "spec/oci_runtime.h"

namespace skiff::runtime {

/// Turns a profile into the program that the kernel runs at each system call. System calls that this machine
/// does not know are passed over; unknown actions, operators and architectures are InvalidArgument.
Result<std::vector<sock_filter>> compile_seccomp(const spec::oci::Seccomp& profile);

/// The whole filter of a profile. `cache` (a directory; "" for none) is looked into first, and the filter
/// left there. A file there holds the profile it was made from, which is compared in full: a wrong filter is
/// never used. Failing to write the cache is no error.
Result<SeccompFilter> seccomp_filter(const spec::oci::Seccomp& profile, const std::string& cache);
/// The same for a profile as JSON, which is only parsed when it is not in the cache.
Result<SeccompFilter> seccomp_filter(std::string_view json, const std::string& cache);

}  // namespace skiff::runtime
