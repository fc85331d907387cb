#include "image/bootstrap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "image/bootstrap/apt_sources.h"
#include "image/bootstrap/rootfs.h"
#include "image/bootstrap/tool.h"
#include "sys/file.h"

namespace skiff::image {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

std::vector<std::string> suites(const std::vector<AptSource>& sources) {
  std::vector<std::string> found;
  for (const auto& source : sources) found.push_back(source.suite);
  return found;
}

TEST(AptSources, OneLineStyle) {
  const auto sources = parse_sources_list(
      "# comment\n"
      "deb http://mirror/debian/ bookworm main contrib # why\n"
      "deb-src http://mirror/debian bookworm main\n"
      "deb [arch=amd64 signed-by=/etc/apt/keyrings/x.gpg] https://mirror/debian bookworm-updates main\n"
      "deb incomplete\n");
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0], (AptSource{"http://mirror/debian", "bookworm", {"main", "contrib"}, ""}));
  EXPECT_EQ(sources[1].signed_by, "/etc/apt/keyrings/x.gpg");
  EXPECT_EQ(sources[1].line(),
            "deb [signed-by=/etc/apt/keyrings/x.gpg] https://mirror/debian bookworm-updates main");
}

TEST(AptSources, Deb822Style) {
  const auto sources = parse_deb822_sources(
      "Types: deb deb-src\n# comment\nURIs: http://mirror/debian\nSuites: bookworm "
      "bookworm-updates\nComponents: main\n"
      "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
      "\n"
      "Types: deb-src\nURIs: http://mirror/debian\nSuites: bookworm\nComponents: main\n"
      "\n"
      "Types: deb\nEnabled: no\nURIs: http://off/debian\nSuites: bookworm\nComponents: main\n"
      "\n"
      "Types: deb\nURIs: http://inline/debian\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN "
      "PGP-----\n .\n x\n");
  ASSERT_EQ(sources.size(), 3u);
  EXPECT_EQ(sources[0], (AptSource{"http://mirror/debian", "bookworm", {"main"}, kKeyring}));
  EXPECT_EQ(sources[1].suite, "bookworm-updates");
  EXPECT_EQ(sources[2].signed_by, "");
}

TEST(AptSources, WrittenAndReadAgainTheyAreTheSame) {
  const std::vector<AptSource> sources = {{"http://m/debian", "sid", {"main"}, kKeyring},
                                          {"http://m/x", "y", {"z"}, ""}};
  EXPECT_EQ(parse_deb822_sources(to_deb822(sources)), sources);
}

TEST(AptSources, ASuiteGetsTheHostsUpdatesAndSecurity) {
  const std::vector<AptSource> host = {{"http://m/debian", "bookworm", {"main"}, kKeyring},
                                       {"http://m/debian", "bookworm-updates", {"main"}, kKeyring},
                                       {"http://m/debian", "bookworm-backports", {"main"}, kKeyring},
                                       {"http://s/debian-security", "bookworm-security", {"main"}, kKeyring},
                                       {"http://vendor/apt", "stable", {"main"}, ""}};
  EXPECT_EQ(suites(sources_for(host, "debian", "bookworm", "")),
            (std::vector<std::string>{"bookworm", "bookworm-updates", "bookworm-security"}));
  EXPECT_EQ(suites(sources_for(host, "debian", "trixie", "")),
            (std::vector<std::string>{"trixie", "trixie-updates", "trixie-security"}));
  const auto own = sources_for(host, "debian", "sid", "http://own/debian/");
  ASSERT_EQ(own.size(), 1u);
  EXPECT_EQ(own[0].uri, "http://own/debian");
  EXPECT_EQ(own[0].signed_by, kKeyring);
  EXPECT_TRUE(sources_for(host, "ubuntu", "noble", "").empty());
}

TEST(Release, TheDateIsRead) {
  EXPECT_EQ(release_date("Suite: stable\nDate: Sat, 11 Jul 2026 10:16:37 UTC\n"), 1783764997);
  EXPECT_EQ(release_date("no date"), 0);
}

class RootfsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "skiff-rootfs-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text = "trace") const {
    fs::create_directories(fs::path(root_ + "/" + name).parent_path());
    std::ofstream(root_ + "/" + name) << text;
  }
  std::string root_;
};

TEST_F(RootfsTest, NoTraceOfTheMachineIsLeft) {
  const std::vector<std::string> traces = {"etc/resolv.conf",
                                           "etc/hostname",
                                           "etc/apt/auth.conf",
                                           "etc/apt/auth.conf.d/mirror.conf",
                                           "var/log/dpkg.log",
                                           "var/lib/apt/lists/m_In",
                                           "var/cache/apt/pkgcache",
                                           "var/cache/apt/archives/x.deb",
                                           "etc/passwd-",
                                           "var/lib/dpkg/status-old",
                                           "var/cache/ldconfig/aux-cache",
                                           "tmp/x",
                                           "dev/null",
                                           "etc/apt/sources.list",
                                           "etc/apt/sources.list.d/0000bookworm.list",
                                           "var/lib/dbus/machine-id"};
  for (const auto& trace : traces) write(trace);
  write("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
  write("etc/passwd", "root:x:0:0::/root:/bin/sh\n");
  const std::vector<AptSource> sources = {{"http://m/debian", "bookworm", {"main"}, ""}};
  ASSERT_TRUE(finish_rootfs(root_, sources, true).ok());
  for (const auto& trace : traces) EXPECT_FALSE(fs::exists(root_ + "/" + trace)) << trace;
  EXPECT_EQ(*sys::read_file(root_ + "/etc/machine-id"), "");
  EXPECT_TRUE(fs::exists(root_ + "/etc/passwd"));
  EXPECT_EQ(*sys::read_file(root_ + "/etc/apt/sources.list.d/debian.sources"), to_deb822(sources));
  EXPECT_TRUE(fs::exists(root_ + "/etc/apt/apt.conf.d/docker-clean"));
  EXPECT_NE(sys::read_file(root_ + "/etc/dpkg/dpkg.cfg.d/docker")->find("path-exclude=/usr/share/doc"),
            std::string::npos);
  struct stat status {};
  ASSERT_EQ(::stat((root_ + "/usr/sbin/policy-rc.d").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755u);
}

TEST_F(RootfsTest, LateTimesAreClampedAndEarlyOnesStay) {
  write("late/file");
  write("early");
  const timespec old[2] = {{1000, 0}, {1000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (root_ + "/early").c_str(), old, 0), 0);
  ASSERT_EQ(::symlink("nowhere", (root_ + "/link").c_str()), 0);
  ASSERT_TRUE(clamp_times(root_, 5000).ok());
  struct stat status {};
  for (const char* name : {"late", "late/file", "link"}) {
    ASSERT_EQ(::lstat((root_ + "/" + name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mtim.tv_sec, 5000) << name;
    EXPECT_EQ(status.st_mtim.tv_nsec, 0) << name;
  }
  ASSERT_EQ(::lstat((root_ + "/early").c_str(), &status), 0);
  EXPECT_EQ(status.st_mtim.tv_sec, 1000);
}

}  // namespace
}  // namespace skiff::image
