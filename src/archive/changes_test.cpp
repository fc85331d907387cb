#include "archive/changes.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "archive/testing_test.h"

namespace skiff::archive {
namespace {

class ChangesTest : public testing::TreeTest {
 protected:
  void SetUp() override {
    TreeTest::SetUp();
    for (const char* layer : {"upper", "middle", "bottom"}) std::filesystem::create_directory(path(layer));
  }
  void directory(const std::string& name) {
    std::filesystem::create_directories(path(name));
    age(name);
  }
  void file(const std::string& name) { write(name, "x"); }
  void whiteout(const std::string& name) {
    ASSERT_EQ(::mknod(path(name).c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  }
  /// Gives a directory the time that all of them have, as copying it up does.
  void age(const std::string& name) {
    const timespec times[2] = {{1000, 0}, {1000, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, path(name).c_str(), times, 0), 0);
  }
  std::string found(const std::set<std::string>& places = {}) {
    std::vector<sys::Fd> lower;
    lower.push_back(*sys::open_directory(path("middle")));
    lower.push_back(*sys::open_directory(path("bottom")));
    auto list = changes(*sys::open_directory(path("upper")), lower, places);
    if (!list.ok()) return list.error().message();
    std::string text;
    for (const auto& change : *list)
      text += fmt::format("{} {}\n", "CAD"[static_cast<int>(change.kind)], change.path);
    return text;
  }
};

TEST_F(ChangesTest, NothingIsNothing) { EXPECT_EQ(found(), ""); }

TEST_F(ChangesTest, AddedChangedAndDeleted) {
  directory("bottom/etc");
  file("bottom/etc/passwd");
  file("bottom/etc/group");
  directory("upper/etc");
  directory("upper/new/deep");
  file("upper/new/deep/file");
  file("upper/etc/passwd");
  whiteout("upper/etc/group");
  file("upper/etc/hosts");
  EXPECT_EQ(found(),
            "C /etc\nD /etc/group\nA /etc/hosts\nC /etc/passwd\nA /new\nA /new/deep\nA /new/deep/file\n");
}

TEST_F(ChangesTest, ADirectoryWhoseFilesOnlyChangedIsNotNamed) {
  directory("bottom/etc");
  file("bottom/etc/passwd");
  directory("upper/etc");
  file("upper/etc/passwd");
  age("bottom/etc");
  age("upper/etc");
  EXPECT_EQ(found(), "C /etc/passwd\n");
  // A file that came or went names it even where its own times tell nothing.
  file("upper/etc/x");
  age("upper/etc");
  EXPECT_EQ(found(), "C /etc\nC /etc/passwd\nA /etc/x\n");
}

TEST_F(ChangesTest, WhatALayerHidesIsNotBelow) {
  directory("bottom/a");
  file("bottom/a/x");
  directory("middle/b");
  file("bottom/f");
  whiteout("middle/f");
  file("upper/f");
  directory("middle/a");
  ASSERT_EQ(::setxattr(path("middle/a").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  age("middle/a");
  directory("upper/a");
  file("upper/a/x");
  age("upper/a");
  EXPECT_EQ(found(), "C /a\nA /a/x\nA /f\n");
}

TEST_F(ChangesTest, PlacesToMountOnAreNoChange) {
  const std::set<std::string> places = {"/.dockerenv", "/dev", "/dev/pts", "/etc", "/etc/hosts", "/proc"};
  directory("bottom/etc");
  std::filesystem::create_directories(path("upper/etc"));
  write("upper/etc/hosts", "");
  write("upper/.dockerenv", "");
  directory("upper/proc");
  directory("upper/dev/pts");
  EXPECT_EQ(found(places), "");
  EXPECT_EQ(found(), "A /.dockerenv\nA /dev\nA /dev/pts\nC /etc\nA /etc/hosts\nA /proc\n");
  // What somebody put there or changed is one.
  write("upper/etc/hosts", "x");
  file("upper/dev/x");
  EXPECT_EQ(found(places), "A /dev\nA /dev/x\nC /etc\nA /etc/hosts\n");
  write("upper/etc/hosts", "");
  std::filesystem::remove(path("upper/dev/x"));
  EXPECT_EQ(found(places), "");
  // With any change beside such a place Docker names the directory.
  file("bottom/etc/passwd");
  file("upper/etc/passwd");
  EXPECT_EQ(found(places), "C /etc\nC /etc/passwd\n");
  std::filesystem::remove(path("upper/etc/passwd"));
  ASSERT_EQ(::chmod(path("upper/etc").c_str(), 0700), 0);
  EXPECT_EQ(found(places), "C /etc\n");
}

TEST_F(ChangesTest, ADirectoryInPlaceOfAFile) {
  file("bottom/x");
  directory("upper/x");
  file("upper/x/y");
  EXPECT_EQ(found(), "C /x\nA /x/y\n");
}

}  // namespace
}  // namespace skiff::archive
