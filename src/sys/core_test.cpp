#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include <gtest/gtest.h>

#include "sys/file.h"
#include "sys/path.h"
#include "sys/socket.h"
#include "sys/spawn.h"

namespace {

using namespace skiff;  // NOLINT
using sys::Fd;

class Scratch : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/skiff-sys-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    root = name;
  }
  void TearDown() override { EXPECT_TRUE(sys::remove_tree(root).ok()); }
  std::string root;
};

TEST_F(Scratch, AtomicWriteReplacesAndLeavesNoTemporary) {
  ASSERT_TRUE(sys::write_file_atomic(root + "/f", "one").ok());
  ASSERT_TRUE(sys::write_file_atomic(root + "/f", "two", 0600).ok());
  EXPECT_EQ(*sys::read_file(root + "/f"), "two");
  EXPECT_EQ(sys::list_directory(root)->size(), 1u);
  EXPECT_EQ(sys::write_file_atomic(root + "/no/f", "x").error().kind(), Kind::NotFound);
  EXPECT_EQ(sys::read_file(root + "/f", 2).error().kind(), Kind::Exhausted);
}

TEST_F(Scratch, RemoveTreeDoesNotFollowLinks) {
  ASSERT_TRUE(sys::make_directories(root + "/keep").ok());
  ASSERT_TRUE(sys::replace_file(root + "/keep/f", "x").ok());
  ASSERT_TRUE(sys::make_directories(root + "/gone/a/b").ok());
  ASSERT_EQ(symlink((root + "/keep").c_str(), (root + "/gone/a/link").c_str()), 0);
  ASSERT_TRUE(sys::remove_tree(root + "/gone").ok());
  EXPECT_FALSE(sys::exists(root + "/gone"));
  EXPECT_TRUE(sys::exists(root + "/keep/f"));
  EXPECT_TRUE(sys::remove_tree(root + "/never").ok());
}

TEST_F(Scratch, SpreadFoldersIsAHint) {
  sys::spread_folders(root);
  sys::spread_folders("/proc/self");  // has no such thing
  sys::spread_folders(root + "/none");
  int flags = 0;
  const Fd folder = *sys::open_directory(root);
  if (::ioctl(folder.get(), FS_IOC_GETFLAGS, &flags) != 0) GTEST_SKIP() << "a file system without flags";
  EXPECT_TRUE(sys::make_directories(root + "/a").ok());
  struct statfs info {};
  ASSERT_EQ(::fstatfs(folder.get(), &info), 0);
  EXPECT_EQ((flags & FS_TOPDIR_FL) != 0, info.f_type == EXT4_SUPER_MAGIC);
}

TEST_F(Scratch, PathsStayInTheirRoot) {
  ASSERT_TRUE(sys::make_directories(root + "/r/etc").ok());
  ASSERT_EQ(symlink("/etc", (root + "/r/abs").c_str()), 0);
  ASSERT_EQ(symlink("../../../..", (root + "/r/up").c_str()), 0);
  ASSERT_TRUE(sys::replace_file(root + "/r/etc/mine", "inside").ok());
  const Fd tree = *sys::open_directory(root + "/r");
  EXPECT_EQ(*sys::read_all(*sys::open_in_root(tree, "abs/mine", O_RDONLY)), "inside");
  EXPECT_EQ(*sys::read_all(*sys::open_in_root(tree, "up/up/etc/mine", O_RDONLY)), "inside");
  EXPECT_EQ(sys::open_in_root(tree, "/../../etc/shadow", O_RDONLY).error().kind(), Kind::NotFound);
  ASSERT_TRUE(sys::make_directories_in_root(tree, "/abs/x/y", 0750).ok());
  EXPECT_TRUE(sys::exists(root + "/r/etc/x/y"));
}

TEST(Path, Clean) {
  EXPECT_EQ(sys::clean_path(""), ".");
  EXPECT_EQ(sys::clean_path("/.."), "/");
  EXPECT_EQ(sys::clean_path("a/../../b"), "../b");
  EXPECT_EQ(sys::clean_path("/a//b/./c/../d/"), "/a/b/d");
  EXPECT_EQ(sys::join_path("/a", "../b"), "/b");
  EXPECT_EQ(sys::join_path("/a", "/b"), "/b");
  EXPECT_EQ(sys::base_name("/a/b"), "b");
  EXPECT_EQ(sys::dir_name("/a"), "/");
}

TEST_F(Scratch, PacketsCarryDescriptors) {
  const std::string folder = root + "/" + std::string(120, 'd');
  ASSERT_TRUE(sys::make_directories(folder).ok());
  const std::string path = folder + "/monitor.sock";  // longer than sun_path
  const Fd listener = *sys::listen_packets(path);
  const Fd client = *sys::connect_packets(path);
  const Fd server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(sys::replace_file(root + "/f", "payload").ok());
  {
    const Fd file = *sys::open_file(root + "/f", O_RDONLY);
    ASSERT_TRUE(sys::send_packet(client, "take", {file.get()}).ok());
    ASSERT_TRUE(sys::send_packet(client, "second").ok());
  }
  auto packet = sys::receive_packet(server);
  ASSERT_TRUE(packet.ok());
  EXPECT_EQ(packet->bytes, "take");
  ASSERT_EQ(packet->fds.size(), 1u);
  EXPECT_EQ(*sys::read_all(packet->fds[0]), "payload");
  EXPECT_EQ(sys::receive_packet(server)->bytes, "second");
}

TEST(Spawn, RunsAndCollects) {
  const auto output = sys::run(
      {.program = "sh", .search_path = true, .arguments = {"sh", "-c", "cat; echo err >&2; exit 3"}}, "in");
  ASSERT_TRUE(output.ok()) << output.error().message();
  EXPECT_EQ(output->standard_output, "in");
  EXPECT_EQ(output->standard_error, "err\n");
  EXPECT_EQ(WEXITSTATUS(output->status), 3);
}

TEST(Spawn, OnlyNamedDescriptorsSurvive) {
  const Fd extra = *sys::open_file("/dev/null", O_RDONLY);
  const auto output =
      sys::run({.program = "/bin/ls", .arguments = {"ls", "/proc/self/fd"}, .keep = {{extra.get(), 7}}});
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->standard_output, "0\n1\n2\n3\n7\n");  // 3 is ls reading the folder
}

TEST_F(Scratch, ABindIsTheProgramsAlone) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto source = root + "/source";
  const auto target = root + "/target";
  ASSERT_TRUE(sys::make_directories(source).ok());
  ASSERT_TRUE(sys::make_directories(target).ok());
  ASSERT_TRUE(sys::replace_file(source + "/file", "here").ok());
  const auto output =
      sys::run({.program = "/bin/cat", .arguments = {"cat", target + "/file"}, .binds = {{source, target}}});
  ASSERT_TRUE(output.ok());
  EXPECT_EQ(output->standard_output, "here");
  EXPECT_FALSE(sys::exists(target + "/file"));
  const auto none = sys::run({.program = "/bin/true", .binds = {{root + "/none", target}}});
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().code(), ENOENT);
}

TEST(Spawn, MissingProgramIsAnError) {
  const auto process = sys::spawn({.program = "/no/such/program", .arguments = {"x"}});
  ASSERT_FALSE(process.ok());
  EXPECT_EQ(process.error().kind(), Kind::NotFound);
}

}  // namespace
