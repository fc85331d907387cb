#pragma once

#include <linux/filter.h>

#include <vector>

namespace skiff::runtime {

/// A profile made ready for the kernel.
struct SeccompFilter {
  std::vector<sock_filter> program;  ///< empty: no filter
  unsigned flags = 0;                ///< SECCOMP_FILTER_FLAG_*
  bool listener = false;             ///< some action asks a supervisor (SECCOMP_RET_USER_NOTIF)
};

}  // namespace skiff::runtime
