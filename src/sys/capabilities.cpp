#include "sys/capabilities.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/strings.h"
#include "sys/capability_names.h"

namespace skiff::sys {
namespace {

constexpr std::uint64_t bit(int number) { return std::uint64_t{1} << number; }

}  // namespace

std::optional<int> capability_number(std::string_view name) {
  for (std::size_t i = 0; i < kCapabilityNames.size(); ++i) {
    if (equals_ignore_case(kCapabilityNames[i], name) ||
        equals_ignore_case(kCapabilityNames[i].substr(4), name))
      return static_cast<int>(i);
  }
  return std::nullopt;
}

std::string_view capability_name(int number) {
  return number >= 0 && static_cast<std::size_t>(number) < kCapabilityNames.size() ? kCapabilityNames[number]
                                                                                   : std::string_view();
}

std::uint64_t known_capabilities() {
  static const std::uint64_t known = [] {
    // They are numbered without gaps.
    int known_below = 0;
    for (int unknown = 64; known_below < unknown;) {
      const int middle = (known_below + unknown) / 2;
      if (::prctl(PR_CAPBSET_READ, middle) >= 0)
        known_below = middle + 1;
      else
        unknown = middle;
    }
    return known_below == 64 ? ~std::uint64_t{0} : bit(known_below) - 1;
  }();
  return known;
}

std::uint64_t permitted_capabilities() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return 0;
  return data[0].permitted | static_cast<std::uint64_t>(data[1].permitted) << 32;
}

int drop_bounding(std::uint64_t keep, int last_capability) {
  for (int i = 0; i <= last_capability; ++i) {
    if ((keep & bit(i)) || ::prctl(PR_CAPBSET_DROP, i, 0, 0, 0) == 0) continue;
    const int code = errno;
    if (code == EINVAL) return 0;  // beyond what this kernel knows
    if (::prctl(PR_CAPBSET_READ, i) != 0) return code;
  }
  return 0;
}

int set_capabilities(std::uint64_t effective, std::uint64_t permitted, std::uint64_t inheritable) {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  for (int i = 0; i < 2; ++i) {
    data[i].effective = static_cast<std::uint32_t>(effective >> (32 * i));
    data[i].permitted = static_cast<std::uint32_t>(permitted >> (32 * i));
    data[i].inheritable = static_cast<std::uint32_t>(inheritable >> (32 * i));
  }
  return ::syscall(SYS_capset, &header, data) == 0 ? 0 : errno;
}

int set_ambient(std::uint64_t ambient) {
  if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return errno == EINVAL && !ambient ? 0 : errno;
  for (int i = 0; i < 64; ++i)
    if ((ambient & bit(i)) && ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) != 0) return errno;
  return 0;
}

}  // namespace skiff::sys
