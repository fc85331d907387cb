#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// Capability sets as bit masks (capabilities(7)), set by plain system calls.
namespace skiff::sys {

/// Bit number of "CAP_SYS_ADMIN" (also without "CAP_", any case); nothing for unknown names.
std::optional<int> capability_number(std::string_view name);
/// "CAP_SYS_ADMIN" for 21; empty for a number without name.
std::string_view capability_name(int number);
/// All capabilities this kernel knows.
std::uint64_t known_capabilities();
/// The permitted set of the calling process; 0 when the kernel does not say.
std::uint64_t permitted_capabilities();

struct CapabilitySets {
  std::uint64_t bounding = 0;
  std::uint64_t effective = 0;
  std::uint64_t permitted = 0;
  std::uint64_t inheritable = 0;
  std::uint64_t ambient = 0;
};

// The following allocate nothing, return 0 or an errno, and may be used between clone and execve.
/// Drops everything outside `keep` from the bounding set; needs CAP_SETPCAP.
int drop_bounding(std::uint64_t keep, int last_capability);
/// capset(2) for the calling thread.
int set_capabilities(std::uint64_t effective, std::uint64_t permitted, std::uint64_t inheritable);
/// Raises exactly the ambient capabilities of `ambient`.
int set_ambient(std::uint64_t ambient);

}  // namespace skiff::sys
