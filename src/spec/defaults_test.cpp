#include "spec/defaults.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace skiff::spec {
namespace {

using List = std::vector<std::string>;

bool allows(const oci::Seccomp& filter, std::string_view call) {
  return std::any_of(filter.syscalls.begin(), filter.syscalls.end(), [&](const auto& rule) {
    return rule.action == "SCMP_ACT_ALLOW" && rule.args.empty() &&
           std::find(rule.names.begin(), rule.names.end(), call) != rule.names.end();
  });
}

TEST(CapabilitiesTest, AddDropAndPrivileged) {
  EXPECT_EQ(effective_capabilities({}, {}, false).value(), default_capabilities());
  EXPECT_EQ(effective_capabilities({}, {}, true).value(), all_capabilities());
  EXPECT_EQ(effective_capabilities({"net_admin"}, {"ALL"}, false).value(), List{"CAP_NET_ADMIN"});
  EXPECT_EQ(effective_capabilities({"all"}, {"CAP_KILL"}, false)->size(), all_capabilities().size() - 1);
  EXPECT_EQ(effective_capabilities({}, {"kill"}, false)->size(), 13U);
  EXPECT_EQ(effective_capabilities({"foo"}, {}, false).error().message(),
            "invalid CapAdd: unknown capability: \"CAP_FOO\"");
  EXPECT_EQ(effective_capabilities({}, {"foo"}, false).error().message(),
            "invalid CapDrop: unknown capability: \"CAP_FOO\"");
}

TEST(SeccompTest, TheTableIsReadWhole) {
  const auto filter = default_seccomp(default_capabilities(), "amd64", 6, 1);
  EXPECT_EQ(filter.default_action, "SCMP_ACT_ERRNO");
  EXPECT_EQ(filter.default_errno_ret, 1U);
  EXPECT_EQ(filter.architectures, (List{"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"}));
  for (const auto* call : {"read", "writev", "arch_prctl", "chroot", "ptrace"})
    EXPECT_TRUE(allows(filter, call)) << call;
  for (const auto* call : {"mount", "bpf", "reboot", "keyctl", "clone3", "syslog", "open_by_handle_at"})
    EXPECT_FALSE(allows(filter, call)) << call;
  for (const auto& rule : filter.syscalls) {
    EXPECT_FALSE(rule.names.empty());
    EXPECT_TRUE(rule.action == "SCMP_ACT_ALLOW" || rule.action == "SCMP_ACT_ERRNO") << rule.action;
    for (const auto& name : rule.names)
      EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos) << name;
  }
}

TEST(SeccompTest, ConditionsDecide) {
  EXPECT_TRUE(allows(default_seccomp({"CAP_SYS_ADMIN"}, "amd64", 6, 1), "mount"));
  EXPECT_TRUE(allows(default_seccomp({"CAP_SYS_BOOT"}, "amd64", 6, 1), "reboot"));
  EXPECT_FALSE(allows(default_seccomp({}, "amd64", 4, 7), "ptrace"));
  EXPECT_FALSE(allows(default_seccomp({}, "arm64", 6, 1), "arch_prctl"));
  const auto filter = default_seccomp({}, "amd64", 6, 1);
  const auto clone = std::find_if(filter.syscalls.begin(), filter.syscalls.end(),
                                  [](const auto& rule) { return rule.names == List{"clone"}; });
  ASSERT_NE(clone, filter.syscalls.end());
  EXPECT_EQ(clone->args, (std::vector<oci::SeccompArgument>{{0, 0x7e020000, 0, "SCMP_CMP_MASKED_EQ"}}));
}

TEST(SeccompTest, ProfilesOfUsers) {
  const auto read = [](std::string_view text) {
    return seccomp_from_profile(text, {"CAP_KILL"}, "amd64", 6, 1);
  };
  const auto filter = read(R"({"defaultAction": "SCMP_ACT_ERRNO",
      "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
      "syscalls": [{"name": "read", "action": "SCMP_ACT_ALLOW"},
                   {"names": ["kill"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_KILL"]}},
                   {"names": ["never"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "99.0"}},
                   {"names": ["not"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["amd64"]}}]})")
                          .value();
  EXPECT_EQ(filter.architectures.size(), 2U);
  EXPECT_EQ(filter.syscalls.size(), 2U);
  EXPECT_TRUE(allows(filter, "read"));
  EXPECT_FALSE(read("not json").ok());
  EXPECT_FALSE(read(R"({"architectures": ["a"], "archMap": [{"architecture": "b"}]})").ok());
}

TEST(DefaultsTest, DevicesAreOnTheAllowList) {
  const auto rules = default_device_rules();
  EXPECT_FALSE(rules.front().allow) << "everything is denied first";
  for (const auto& device : default_devices())
    EXPECT_TRUE(std::any_of(rules.begin(), rules.end(), [&](const auto& rule) {
      return rule.allow && rule.major == device.major && rule.minor == device.minor && rule.access == "rwm";
    })) << device.path;
}

TEST(DefaultsTest, MountsComeInOrder) {
  std::set<std::string> seen;
  for (const auto& mount : default_mounts(1000)) {
    seen.insert(mount.destination);
    if (mount.destination == "/dev/shm") {
      EXPECT_EQ(mount.options.back(), "size=1000");
    }
    if (mount.destination.starts_with("/dev/")) {
      EXPECT_TRUE(seen.contains("/dev"));
    }
  }
  EXPECT_EQ(seen.size(), 7U);
}

}  // namespace
}  // namespace skiff::spec
