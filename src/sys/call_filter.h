#pragma once

#include <linux/filter.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"

/// Programs of seccomp(2) by which a process of ours gives up system calls for good. (Those of containers
/// come from profiles, by libseccomp.)
namespace skiff::sys {

sock_filter load(std::size_t offset);
/// The low word of an argument, on little-endian machines, which is what we run on.
sock_filter load_argument(unsigned number);
sock_filter answer(std::uint32_t value);
/// Goes on with the next instruction if what is loaded is `value`, else passes over `count`.
sock_filter unless_equal(std::uint32_t value, std::uint8_t count);

/// What a call that is given up answers: EPERM.
extern const std::uint32_t kDenied;

/// The beginning of each: calls of another architecture end the process; the number of the call is loaded.
std::vector<sock_filter> begin_filter();
/// Confines all threads of the process, which gives up what programs with setuid would give it
/// (no_new_privs).
Result<void> install_filter(std::vector<sock_filter> code);

}  // namespace skiff::sys
