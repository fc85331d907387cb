#include "snapshot/root_view.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/ids.h"
#include "sys/file.h"

namespace skiff::snapshot {
namespace {

class RootViewTest : public testing::Test {
 protected:
  void SetUp() override {
    root_ = "/tmp/engine-root-view-" + random_hex(6);
    for (const char* layer : {"/top/etc", "/bottom/etc", "/bottom/data/sub"})
      ASSERT_TRUE(sys::make_directories(root_ + layer).ok());
    write("/bottom/etc/passwd", "bottom");
    write("/bottom/etc/group", "group");
    write("/top/etc/passwd", "top");
  }
  void TearDown() override { EXPECT_TRUE(sys::remove_tree(root_).ok()); }
  void write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(sys::replace_file(root_ + path, text).ok());
  }
  RootView view() {
    spec::Mount mount{
        "",
        "overlay",
        "overlay",
        {"lowerdir+=" + root_ + "/bottom", "upperdir=" + root_ + "/top", "workdir=/nonexistent"}};
    auto opened = RootView::open({mount});
    EXPECT_TRUE(opened.ok());
    return std::move(opened).value();
  }
  std::string read(std::string_view path) {
    auto text = view().read(path, 1 << 20);
    EXPECT_TRUE(text.ok());
    return text->value_or("(none)");
  }
  std::string root_;
};

TEST_F(RootViewTest, UpperLayersWin) {
  EXPECT_EQ(read("/etc/passwd"), "top");
  EXPECT_EQ(read("/etc/group"), "group");
  EXPECT_EQ(read("/etc/none"), "(none)");
  EXPECT_EQ(read("/etc"), "(none)");
}

TEST_F(RootViewTest, LimitsWhatIsRead) { EXPECT_EQ(*view().read("/etc/passwd", 2).value(), "to"); }

TEST_F(RootViewTest, WhiteoutsHide) {
  ASSERT_EQ(::mknod((root_ + "/top/etc/group").c_str(), S_IFCHR, ::makedev(0, 0)), 0);
  EXPECT_EQ(read("/etc/group"), "(none)");
}

TEST_F(RootViewTest, OpaqueDirectoriesHide) {
  ASSERT_EQ(::setxattr((root_ + "/top/etc").c_str(), "trusted.overlay.opaque", "y", 1, 0), 0);
  EXPECT_EQ(read("/etc/group"), "(none)");
}

TEST_F(RootViewTest, LinksStayInside) {
  ASSERT_EQ(::unlink((root_ + "/top/etc/passwd").c_str()), 0);
  ASSERT_EQ(::symlink("/../../../../etc/group", (root_ + "/top/etc/passwd").c_str()), 0);
  EXPECT_EQ(read("/etc/passwd"), "group");
  ASSERT_EQ(::symlink("loop", (root_ + "/top/etc/loop").c_str()), 0);
  EXPECT_EQ(read("/etc/loop"), "(none)");
}

TEST_F(RootViewTest, TellsDirectories) {
  EXPECT_TRUE(view().is_directory("/data/sub"));
  EXPECT_FALSE(view().is_directory("/etc/passwd"));
  EXPECT_TRUE(view().exists("/etc/passwd"));
  EXPECT_FALSE(view().exists("/etc/passwd/x"));
  EXPECT_FALSE(view().is_directory("/absent"));
}

}  // namespace
}  // namespace skiff::snapshot
