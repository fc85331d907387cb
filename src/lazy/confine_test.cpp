#include "lazy/confine.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <string>

#include "sys/file.h"

namespace skiff::lazy {
namespace {

/// Whether `work` was true in a process that is confined.
bool confined(const std::function<bool()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!confine_server().ok()) ::_exit(2);
    ::_exit(work() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) < 2) << status;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool refused(int result) { return result < 0 && (errno == EPERM || errno == EACCES); }

class Confined : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/.skiff-confine-XXXXXX";
    ASSERT_TRUE(::mkdtemp(pattern.data()));
    base_ = pattern;
    file_ = base_ + "/file";
    ASSERT_TRUE(sys::write_file_atomic(file_, "contents").ok());
  }
  void TearDown() override { ASSERT_TRUE(sys::remove_tree(base_).ok()); }
  std::string base_;
  std::string file_;
};

TEST_F(Confined, ItNeitherMakesNorChangesFiles) {
  EXPECT_TRUE(confined([&] { return refused(::open((base_ + "/new").c_str(), O_WRONLY | O_CREAT, 0600)); }));
  EXPECT_TRUE(confined([&] { return refused(::open(file_.c_str(), O_WRONLY)); }));
  EXPECT_TRUE(confined([&] { return refused(::truncate(file_.c_str(), 0)); }));
  EXPECT_TRUE(confined([&] { return refused(::chmod(file_.c_str(), 0777)); }));
  EXPECT_TRUE(confined([&] { return refused(::chown(file_.c_str(), 1, 1)); }));
  EXPECT_TRUE(confined([&] { return refused(::unlink(file_.c_str())); }));
  EXPECT_EQ(*sys::read_file(file_), "contents");
}

TEST_F(Confined, ItReachesNoOtherProcess) {
  const pid_t parent = ::getpid();
  EXPECT_TRUE(confined([&] { return refused(::kill(parent, 0)); }));
  EXPECT_TRUE(confined([&] { return refused(::tgkill(parent, parent, 0)); }));
  EXPECT_TRUE(confined([&] { return ::tgkill(::getpid(), ::gettid(), 0) == 0; }));
  EXPECT_TRUE(confined([] { return refused(::execl("/bin/true", "true", nullptr)); }));
  EXPECT_TRUE(confined([] { return refused(::socket(AF_UNIX, SOCK_STREAM, 0)); }));
}

TEST_F(Confined, ItReadsAndAsksTheNetwork) {
  EXPECT_TRUE(confined([&] { return ::open(file_.c_str(), O_RDONLY) >= 0; }));
  EXPECT_TRUE(confined([] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0; }));
}

}  // namespace
}  // namespace skiff::lazy
