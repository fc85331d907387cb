#include "sys/overlay.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>

#include <gtest/gtest.h>

#include <thread>

#include "base/strings.h"
#include "sys/detached_mount.h"
#include "sys/file.h"
#include "sys/path.h"

namespace skiff::sys {
namespace {

class Overlay : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/skiff-overlay-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    base_ = name;
  }
  void TearDown() override { EXPECT_TRUE(remove_tree(base_).ok()); }

  /// A directory with one file that is named as it is.
  std::string layer(const std::string& name) {
    const auto path = base_ + "/" + name;
    EXPECT_TRUE(make_directories(path).ok());
    EXPECT_TRUE(replace_file(path + "/" + name.substr(name.rfind('/') + 1), name).ok());
    EXPECT_TRUE(replace_file(path + "/who", name).ok());
    return path;
  }
  /// mount_overlay_page in a mount namespace of its own.
  static Fd mounted(const std::vector<FilesystemOption>& options, int& code) {
    Fd tree;
    std::thread([&] {
      if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
        return;
      tree = Fd(mount_overlay_page(options, false));
      code = tree ? 0 : errno;
    }).join();
    return tree;
  }
  static std::string read_in(const Fd& tree, const std::string& path) {
    auto file = open_in_root(tree, path, O_RDONLY);
    return file.ok() ? read_all(*file, 4096).value_or("") : "";
  }

  std::string base_;
  int code_ = -1;
};

TEST_F(Overlay, APageHoldsTheDeepestImageOfAStore) {
  const std::string store = "a-store-with-a-name-that-is-not-short-at-all/snapshots/";
  std::vector<FilesystemOption> options = {{"index", "off"}};
  constexpr int kLayers = 127;
  for (int i = 0; i < kLayers; ++i)
    options.push_back({"lowerdir+", layer(fmt::format("{}{:012x}/fs", store, kLayers - i))});
  options.push_back({"upperdir", layer(store + "ffffffffffff/fs")});
  options.push_back({"workdir", layer(store + "ffffffffffff/work")});
  const Fd tree = mounted(options, code_);
  ASSERT_TRUE(tree) << strerror(code_);
  EXPECT_EQ(read_in(tree, "who"), store + "ffffffffffff/fs");
}

TEST_F(Overlay, TheFirstLayerIsTheTopmost) {
  const Fd tree = mounted({{"lowerdir+", layer("one")}, {"lowerdir+", layer("two")}}, code_);
  ASSERT_TRUE(tree) << strerror(code_);
  EXPECT_EQ(read_in(tree, "who"), "one");
  EXPECT_EQ(read_in(tree, "two"), "two");
}

TEST_F(Overlay, SeparatorsMayStandInPaths) {
  const Fd tree = mounted({{"lowerdir+", layer("x:1,2/a:b,c\\d")},
                           {"lowerdir+", layer("x:1,2/e")},
                           {"upperdir", layer("x:1,2/f,g")},
                           {"workdir", layer("y,z")}},
                          code_);
  ASSERT_TRUE(tree) << strerror(code_);
  EXPECT_EQ(read_in(tree, "who"), "x:1,2/f,g");
  EXPECT_EQ(read_in(tree, "a:b,c\\d"), "x:1,2/a:b,c\\d");
  EXPECT_EQ(read_in(tree, "e"), "x:1,2/e");
}

TEST_F(Overlay, WhatDoesNotFitOrHasNoLayerIsRefused) {
  std::vector<FilesystemOption> options;
  for (int i = 0; i < 100; ++i) options.push_back({"lowerdir+", base_ + fmt::format("/{:0100}", i)});
  EXPECT_FALSE(mounted(options, code_));
  EXPECT_EQ(code_, E2BIG);
  EXPECT_FALSE(mounted({{"index", "off"}}, code_));
  EXPECT_EQ(code_, EINVAL);
  EXPECT_FALSE(mounted({{"lowerdir+", base_ + "/none"}, {"lowerdir+", base_ + "/neither"}}, code_));
  EXPECT_EQ(code_, ENOENT);
}

TEST_F(Overlay, IsMountedByWhicheverWayTheKernelHas) {
  const auto tree =
      mount_detached("overlay", "overlay", {"ro", "lowerdir+=" + layer("one"), "lowerdir+=" + layer("two")});
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_EQ(read_in(*tree, "who"), "one");
  EXPECT_EQ(::openat(tree->get(), "new", O_CREAT | O_WRONLY | O_CLOEXEC, 0600), -1);
  EXPECT_EQ(errno, EROFS);
  EXPECT_EQ(read_file("/proc/self/mountinfo")->find(base_), std::string::npos);
}

}  // namespace
}  // namespace skiff::sys
