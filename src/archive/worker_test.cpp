#include "archive/worker.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "archive/confine.h"
#include "archive/testing_test.h"

namespace skiff::archive {
namespace {

using testing::Tar;

class WorkerTest : public testing::TreeTest {
 protected:
  Root root() const {
    Root result;
    result.directory = root_.get();
    return result;
  }
  sys::Fd file_of(const std::string& bytes) {
    write("archive.tar", bytes);
    return *sys::open_file(path("archive.tar"), O_RDONLY);
  }
  Result<Unpacked> unpack_bytes(const std::string& bytes, const Root& target, const std::string& at = "/") {
    return unpack(file_of(bytes), target, at, layer_options());
  }
  /// What pack() writes, unpacked again into "<base>/<name>".
  Result<void> pack_into(const Root& from, const std::string& what, const std::string& name) {
    const sys::Fd out = *sys::open_file(path("packed.tar"), O_RDWR | O_CREAT | O_TRUNC);
    TRY(pack(from, what, out));
    std::filesystem::create_directory(path(name));
    TRY(testing::apply_bytes(read("packed.tar"), *sys::open_directory(path(name)), layer_options()));
    return {};
  }
};

TEST_F(WorkerTest, UnpacksAndSaysWhatItWas) {
  Tar tar;
  const std::string bytes = tar.directory("d").file("d/f", "content").bytes() + std::string(2048, '\0');
  auto unpacked = unpack_bytes(bytes, root());
  ASSERT_TRUE(unpacked.ok()) << unpacked.error().message();
  EXPECT_EQ(unpacked->digest, spec::Digest::of(bytes));
  EXPECT_EQ(unpacked->stats.entries, 2u);
  EXPECT_EQ(unpacked->stats.bytes, 7u);
  EXPECT_EQ(read("root/d/f"), "content");
}

TEST_F(WorkerTest, ReadsFromAPipe) {
  Tar tar;
  const std::string bytes = tar.file("big", std::string(300'000, 'x')).bytes();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const sys::Fd in(ends[0]);
  std::thread writer([end = ends[1], &bytes] { EXPECT_TRUE(sys::write_all(sys::Fd(end), bytes).ok()); });
  auto unpacked = unpack(in, root(), "/", layer_options());
  writer.join();
  ASSERT_TRUE(unpacked.ok()) << unpacked.error().message();
  EXPECT_EQ(unpacked->digest, spec::Digest::of(bytes));
}

TEST_F(WorkerTest, ErrorsKeepTheirKindAndSentence) {
  Tar tar;
  auto refused = unpack_bytes(tar.file("../outside").bytes(), root());
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind(), Kind::Forbidden);
  EXPECT_NE(refused.error().message().find("../outside"), std::string::npos);
  write("root/file", "");
  Tar other;
  const std::string bytes = other.file("x").bytes();
  EXPECT_EQ(unpack_bytes(bytes, root(), "/file").error().message(), "extraction point is not a directory");
  EXPECT_EQ(unpack_bytes(bytes, root(), "/nowhere").error().kind(), Kind::NotFound);
  EXPECT_FALSE(unpack_bytes("no archive at all", root()).ok());
}

TEST_F(WorkerTest, PacksFilesDirectoriesAndLinks) {
  std::filesystem::create_directories(path("root/etc/sub"));
  write("root/etc/hosts", "127.0.0.1");
  std::filesystem::create_symlink("/etc", path("root/link"));
  ASSERT_TRUE(pack_into(root(), "/etc", "a").ok());
  EXPECT_EQ(read("a/etc/hosts"), "127.0.0.1");
  ASSERT_TRUE(pack_into(root(), "/etc/.", "b").ok());
  EXPECT_EQ(read("b/hosts"), "127.0.0.1");
  ASSERT_TRUE(pack_into(root(), "/etc/hosts", "c").ok());
  EXPECT_EQ(read("c/hosts"), "127.0.0.1");
  ASSERT_TRUE(pack_into(root(), "/link", "d").ok());
  EXPECT_TRUE(S_ISLNK(status("d/link").st_mode));
  ASSERT_TRUE(pack_into(root(), "/link/", "e").ok());
  EXPECT_EQ(read("e/link/hosts"), "127.0.0.1");
  EXPECT_EQ(pack_into(root(), "/missing", "f").error().kind(), Kind::NotFound);
}

TEST_F(WorkerTest, StatsAsDockerDoes) {
  std::filesystem::create_directories(path("root/usr/lib"));
  write("root/usr/lib/x", "12345");
  std::filesystem::create_symlink("usr/lib", path("root/lib"));
  std::filesystem::create_symlink("/lib/x", path("root/abs"));
  auto file = stat_path(root(), "/lib/x");
  ASSERT_TRUE(file.ok()) << file.error().message();
  EXPECT_EQ(file->name, "x");
  EXPECT_EQ(file->size, 5);
  EXPECT_EQ(file->mode, 0644u);
  auto link = stat_path(root(), "abs");
  ASSERT_TRUE(link.ok());
  EXPECT_EQ(link->link_target, "/usr/lib/x");
  EXPECT_NE(link->mode & (1u << 27), 0u);
  EXPECT_EQ(stat_path(root(), "/lib/.")->name, ".");
  EXPECT_EQ(stat_path(root(), "/lib/")->name, "lib");
  EXPECT_EQ(stat_path(root(), "/")->name, "/");
  EXPECT_NE(stat_path(root(), "/usr")->mode & (1u << 31), 0u);
  EXPECT_EQ(stat_path(root(), "/nope").error().kind(), Kind::NotFound);
}

TEST_F(WorkerTest, WorksInMountsThatNobodyElseSees) {
  for (const char* name : {"lower", "upper", "work", "volume"}) std::filesystem::create_directory(path(name));
  std::filesystem::create_directory(path("lower/data"));
  write("lower/below", "lower");
  Root target;
  target.mounts.push_back(
      {"",
       "overlay",
       "overlay",
       {"index=off", "lowerdir+=" + path("lower"), "upperdir=" + path("upper"), "workdir=" + path("work")}});
  EXPECT_EQ(stat_path(target, "/below")->size, 5);
  target.mounts.push_back({"/data", "bind", path("volume"), {"rbind"}});
  target.mounts.push_back({"/not-made-yet", "bind", path("volume"), {"rbind"}});
  Tar tar;
  auto unpacked = unpack_bytes(tar.file("in-volume", "v").bytes(), target, "/data");
  ASSERT_TRUE(unpacked.ok()) << unpacked.error().message();
  EXPECT_EQ(read("volume/in-volume"), "v");
  Tar top;
  ASSERT_TRUE(unpack_bytes(top.file("new", "n").bytes(), target).ok());
  EXPECT_EQ(read("upper/new"), "n");
  target.mounts[0].options.push_back("ro");
  Tar denied;
  EXPECT_FALSE(unpack_bytes(denied.file("denied").bytes(), target).ok());
}

/// CVE-2018-15664: a link that is swapped in while `docker cp` runs led to the host's files. Here the
/// container's tree is the worker's root, so that every link, whenever it appears, is resolved inside it.
TEST_F(WorkerTest, Cve2018_15664_LinksLeadNowhereButIntoTheTree) {
  std::filesystem::create_directory(path("root/dir"));
  std::filesystem::create_symlink(base_, path("root/escape"));
  std::filesystem::create_symlink("../../../../../../../../" + base_, path("root/climb"));
  std::filesystem::create_symlink("/proc/1/root" + base_, path("root/magic"));
  for (const char* link : {"escape", "climb", "magic"}) {
    EXPECT_FALSE(stat_path(root(), fmt::format("/{}/outside", link)).ok());
    EXPECT_FALSE(pack_into(root(), fmt::format("/{}/outside", link), "x").ok());
    Tar tar;
    EXPECT_FALSE(unpack_bytes(tar.file("outside", "pwned").bytes(), root(), fmt::format("/{}", link)).ok());
  }
  // The race itself: the last directory turns into a link to the host and back, all the time.
  std::atomic<bool> stop = false;
  std::filesystem::create_directory(path("root/a"));
  std::filesystem::create_symlink(base_, path("root/b"));
  std::thread swapper([&] {
    while (!stop)
      (void)::renameat2(AT_FDCWD, path("root/a").c_str(), AT_FDCWD, path("root/b").c_str(), RENAME_EXCHANGE);
  });
  for (int i = 0; i < 20; ++i) {
    Tar tar;
    (void)unpack_bytes(tar.file("outside", "pwned").bytes(), root(), "/a");
    const sys::Fd out = *sys::open_file(path("packed.tar"), O_RDWR | O_CREAT | O_TRUNC);
    (void)pack(root(), "/a/outside", out);
    EXPECT_EQ(read("packed.tar").find("untouched"), std::string::npos);
  }
  stop = true;
  swapper.join();
  EXPECT_EQ(read("outside"), "untouched");
}

/// CVE-2019-14271: after entering the container `docker-tar` loaded the container's own libnss. A confined
/// worker can neither map code nor execute anything, whoever asks.
TEST_F(WorkerTest, Cve2019_14271_NothingFromTheTreeIsEverLoaded) {
  write("plain", std::string(8192, '\x90'));
  const pid_t child = ::fork();
  if (child == 0) {
    const int file = ::open(path("plain").c_str(), O_RDONLY);
    if (!confine_process().ok()) ::_exit(1);
    if (::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) != MAP_FAILED) ::_exit(2);
    void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) ::_exit(3);
    if (::mprotect(memory, 4096, PROT_READ | PROT_EXEC) == 0) ::_exit(4);
    char* const arguments[] = {nullptr};
    if (::execve("/bin/true", arguments, arguments) == 0 || errno != EPERM) ::_exit(5);
    if (::socket(AF_UNIX, SOCK_STREAM, 0) >= 0) ::_exit(6);
    if (::chroot("/") == 0 || ::kill(::getppid(), 0) == 0 || ::fork() >= 0) ::_exit(7);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace skiff::archive
