#include "runtime/mount_options.h"

#include <linux/mount.h>
#include <sys/mount.h>

#include <gtest/gtest.h>

namespace skiff::runtime {
namespace {

TEST(MountOptions, AreSortedIntoAttributesPropagationAndData) {
  const auto step = parse_mount({"/dev/shm",
                                 "tmpfs",
                                 "shm",
                                 {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k", "rprivate", "ro"}},
                                "/b");
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->set, static_cast<std::uint64_t>(MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV |
                                                  MOUNT_ATTR_RDONLY));
  EXPECT_EQ(step->propagation_recursive, static_cast<std::uint64_t>(MS_PRIVATE));
  ASSERT_EQ(step->options.size(), 2U);
  EXPECT_EQ(step->options[0].key, "mode");
  EXPECT_EQ(step->options[1].value, "65536k");
  EXPECT_FALSE(step->superblock_readonly) << "the runtime itself may still have to fill it";
}

TEST(MountOptions, TheLastWordOnOneMatterCounts) {
  const auto step =
      parse_mount({"/x", "bind", "rel", {"rbind", "ro", "rw", "noatime", "relatime", "rro"}}, "/bundle");
  ASSERT_TRUE(step.ok());
  EXPECT_EQ(step->action, MountStep::Action::Bind);
  EXPECT_TRUE(step->recursive);
  EXPECT_EQ(step->source, "/bundle/rel");
  EXPECT_EQ(step->set & MOUNT_ATTR_RDONLY, 0U);
  EXPECT_EQ(step->clear & MOUNT_ATTR_RDONLY, static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY));
  EXPECT_EQ(step->set & MOUNT_ATTR__ATIME, static_cast<std::uint64_t>(MOUNT_ATTR_RELATIME));
  EXPECT_EQ(step->set_recursive, static_cast<std::uint64_t>(MOUNT_ATTR_RDONLY));
}

TEST(MountOptions, ACgroupMountShowsEveryHierarchy) {
  const sys::CgroupLayout hybrid({{{"cpu", "cpuacct"}, "", "/cg/cpu,cpuacct", "/", false},
                                  {{}, "systemd", "/cg/systemd", "/", false},
                                  {{}, "", "/cg/unified", "/", true}});
  const auto mount = parse_mount({"/sys/fs/cgroup", "cgroup", "cgroup", {"ro", "nosuid"}}, "/");
  ASSERT_TRUE(mount.ok());
  const auto own = expand_cgroup_mount(*mount, hybrid, "skiff/x", true);
  ASSERT_EQ(own.size(), 7U);
  EXPECT_EQ(own[0].type, "tmpfs");
  EXPECT_EQ(own[1].destination, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(own[1].type, "cgroup");
  EXPECT_EQ(own[2].action, MountStep::Action::Link);
  EXPECT_EQ(own[5].type, "cgroup2");
  EXPECT_EQ(own[6].action, MountStep::Action::Remount);
  const auto shared = expand_cgroup_mount(*mount, hybrid, "skiff/x", false);
  EXPECT_EQ(shared[1].action, MountStep::Action::Bind);
  EXPECT_EQ(shared[1].source, "/cg/cpu,cpuacct/skiff/x");
  const sys::CgroupLayout pure({{{"cpu"}, "", "/cg", "/", true}});
  EXPECT_EQ(expand_cgroup_mount(*mount, pure, "x", true).size(), 1U);
}

}  // namespace
}  // namespace skiff::runtime
