// As root: mounts that only some see.
#include "sys/private_mounts.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <filesystem>

#include "base/ids.h"
#include "sys/detached_mount.h"
#include "sys/file.h"
#include "sys/spawn.h"

namespace skiff::sys {
namespace {

/// A directory on a mount of its own, in a mount namespace of the test's own.
class PrivateMountsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0) << "root is needed";
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_TRUE(make_directories(base_).ok());
    ASSERT_EQ(::mount("tmpfs", base_.c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_TRUE(make_directories(base_ + "/deep/place").ok());
    ASSERT_TRUE(make_directories(base_ + "/other").ok());
  }
  void TearDown() override {
    ::umount2(base_.c_str(), MNT_DETACH);
    ::rmdir(base_.c_str());
  }

  /// Enters, attaches a tmpfs with the file "here" to deep/place, and lists that in another program.
  std::string seen_inside() const {
    auto mounts = PrivateMounts::enter();
    EXPECT_TRUE(mounts.ok());
    auto tree = mount_detached("tmpfs", "tmpfs", {});
    EXPECT_TRUE(tree.ok());
    EXPECT_TRUE(write_all(*open_at(*tree, "here", O_WRONLY | O_CREAT), "x").ok());
    const auto attached = mounts->attach_unseen(*tree, base_ + "/deep/place");
    EXPECT_TRUE(attached.ok()) << attached.error().message();
    return run({.program = "/bin/ls", .arguments = {"ls", base_ + "/deep/place"}})->standard_output;
  }
  std::string seen_outside() const { return join_names(base_ + "/deep/place"); }
  static std::string join_names(const std::string& directory) {
    const auto names = list_directory(directory);
    if (!names) return names.error().message();
    std::string all;
    for (const auto& name : *names) all += name;
    return all;
  }

  const std::string base_ = "/tmp/skiff-private-mounts-" + random_hex(6);
};

TEST_F(PrivateMountsTest, WhatIsAttachedIsSeenInsideOnly) {
  const auto before = std::filesystem::read_symlink("/proc/self/ns/mnt");
  EXPECT_EQ(seen_inside(), "here\n");
  EXPECT_EQ(seen_outside(), "");
  EXPECT_EQ(std::filesystem::read_symlink("/proc/self/ns/mnt"), before);
}

TEST_F(PrivateMountsTest, AlsoOnAMountThatIsShared) {
  ASSERT_EQ(::mount(nullptr, base_.c_str(), nullptr, MS_SHARED, nullptr), 0);
  EXPECT_EQ(seen_inside(), "here\n");
  EXPECT_EQ(seen_outside(), "");
}

/// A container may ask for a directory whose mounts come back to the host (rshared).
TEST_F(PrivateMountsTest, TheSharedMountStaysSharedForTheRest) {
  ASSERT_EQ(::mount(nullptr, base_.c_str(), nullptr, MS_SHARED, nullptr), 0);
  {
    auto mounts = PrivateMounts::enter();
    ASSERT_TRUE(mounts.ok());
    auto tree = mount_detached("tmpfs", "tmpfs", {});
    ASSERT_TRUE(mounts->attach_unseen(*tree, base_ + "/deep/place").ok());
    ASSERT_EQ(::mount("tmpfs", (base_ + "/other").c_str(), "tmpfs", 0, nullptr), 0);
    ASSERT_TRUE(replace_file(base_ + "/other/shown", "x").ok());
  }
  EXPECT_EQ(join_names(base_ + "/other"), "shown");
  EXPECT_EQ(seen_outside(), "");
}

TEST_F(PrivateMountsTest, ThePlaceMustBeThere) {
  auto mounts = PrivateMounts::enter();
  ASSERT_TRUE(mounts.ok());
  auto tree = mount_detached("tmpfs", "tmpfs", {});
  EXPECT_EQ(mounts->attach_unseen(*tree, base_ + "/none").error().kind(), Kind::NotFound);
}

}  // namespace
}  // namespace skiff::sys
