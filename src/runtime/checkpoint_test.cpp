#include "runtime/checkpoint.h"

#include <signal.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ids.h"
#include "runtime/external_mounts.h"
#include "runtime/fake_criu.h"
#include "sys/file.h"

namespace skiff::runtime {
namespace {

using test::FakeCriu;
using test::members;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

/// A process to dump, a root file system and a configuration, in the directory of the fake.
class CheckpointTest : public testing::Test {
 protected:
  void use(const std::string& behaviour) {
    fake_.emplace(behaviour);
    for (const char* name : {"/image", "/root/etc", "/root/proc", "/host/sub"})
      ASSERT_TRUE(sys::make_directories(fake_->path() + name));
    ASSERT_TRUE(sys::replace_file(path("/host/file"), "x"));
    ASSERT_TRUE(sys::replace_file(path("/root/proc/kcore"), ""));
    ASSERT_EQ(::symlink("etc", path("/root/settings").c_str()), 0);
    auto& part = config_.linux_.emplace();
    part.namespaces = {{"mount", ""}, {"cgroup", ""}, {"network", "/proc/self/ns/net"}};
    part.masked_paths = {"/proc/kcore", "/proc/none", "/etc"};
    config_.mounts = {{"/settings/file", "bind", path("/host/file"), {"bind"}},
                      {"/data", "", path("/host"), {"rbind"}},
                      {"/data/sub/deep", "tmpfs", "tmpfs", {}},
                      {"/run", "tmpfs", "tmpfs", {}},
                      {"/run/below", "bind", path("/host"), {"bind"}}};
    config_.process.emplace().args = {"x"};
    checkpoint_.image.directory = path("/image");
    checkpoint_.descriptors = {"/dev/null", "pipe:[7]", ""};
  }
  std::string path(const std::string& name) const { return fake_->path() + name; }
  Result<void> run() {
    sys::SpawnOptions options;
    options.program = "/bin/sleep";
    options.arguments = {"sleep", "100"};
    const auto process = TRY(sys::spawn(options));
    const auto result = checkpoint(checkpoint_, config_, path("/root"), process, cgroup_);
    (void)process.signal(SIGKILL);
    (void)process.wait();
    return result;
  }
  RestoreOptions restore_options() {
    RestoreOptions options;
    options.image = checkpoint_.image;
    options.id = "x";
    options.config = config_;
    options.bundle = path("");
    options.rootfs = path("/root");
    options.mount_point = path("/root");
    options.cgroup_path = "skiff-checkpoint-test-" + random_hex(6);
    options.restored = [](const sys::Process&) { return success(); };
    return options;
  }
  /// The options of the last request but its notifications'.
  std::string last_options() const {
    const auto heard = fake_->heard();
    for (auto message = heard.rbegin(); message != heard.rend(); ++message)
      if (const auto found = members(*message, 2); !found.empty()) return found.front();
    return {};
  }

  std::optional<FakeCriu> fake_;
  spec::oci::Runtime config_;
  Checkpoint checkpoint_;
  sys::Cgroup cgroup_{sys::CgroupLayout(std::vector<sys::CgroupHierarchy>()), "x"};
};

TEST_F(CheckpointTest, TellsWhatIsTheContainersAndWhatIsNot) {
  use("");
  const auto done = run();
  ASSERT_TRUE(done) << done.error().message();
  const auto options = last_options();
  EXPECT_THAT(members(options, 10), ElementsAre("dump.log"));
  EXPECT_THAT(members(options, 13), ElementsAre(path("/root")));
  EXPECT_THAT(members(options, 51), ElementsAre("/etc/criu/runc.conf"));
  EXPECT_THAT(members(options, 37), Contains(testing::MatchesRegex("net\\[[0-9]+\\]:extRootNetNS")));
  EXPECT_THAT(members(options, 37), Contains("mnt[/data]:/data"));
  EXPECT_EQ(*sys::read_file(path("/image/descriptors.json")), R"(["/dev/null","pipe:[7]",""])");
}

TEST_F(CheckpointTest, APreDumpTakesMemoryAlone) {
  use("");
  checkpoint_.pre_dump = true;
  ASSERT_TRUE(run());
  EXPECT_THAT(members(last_options(), 37), testing::Each(testing::StartsWith("net")));
  EXPECT_FALSE(sys::exists(path("/image/descriptors.json")));
  EXPECT_EQ(members(fake_->heard().back(), 1).front(), "4");
}

TEST_F(CheckpointTest, AConfigurationFileOfItsOwnOrNone) {
  use("");
  config_.annotations[kCriuConfigAnnotation] = "";
  ASSERT_TRUE(run());
  EXPECT_TRUE(members(last_options(), 51).empty());
}

TEST_F(CheckpointTest, AFailureNamesTheLog) {
  use("fails");
  checkpoint_.image.work_directory = path("/work");
  EXPECT_EQ(run().error().message(), "criu failed: type DUMP errno 5\nlog file: " + path("/work/dump.log"));
}

TEST_F(CheckpointTest, ARestoreThatFailsLeavesNothing) {
  use("fails");
  auto options = restore_options();
  EXPECT_THAT(restore(options).error().message(), HasSubstr("/image/descriptors.json"));
  ASSERT_TRUE(sys::replace_file(path("/image/descriptors.json"), R"(["/dev/null", "pipe:[7]", "/x"])"));
  EXPECT_EQ(restore(options).error().message(),
            "criu failed: type RESTORE errno 5\nlog file: " + path("/image/restore.log"));
  const sys::Cgroup cgroup(*sys::CgroupLayout::detect(), options.cgroup_path);
  EXPECT_FALSE(cgroup.exists());
  const auto asked = last_options();
  EXPECT_THAT(members(asked, 27), ElementsAre("\x0a\x08pipe:[7]\x10\x01",
                                              "\x0a\x0c"
                                              "extRootNetNS\x10\x04"));
  EXPECT_THAT(members(asked, 37), Contains("mnt[/etc/file]:" + path("/host/file")));
  EXPECT_THAT(members(asked, 26), ElementsAre("1"));
  EXPECT_FALSE(members(asked, 25).empty());
}

TEST_F(CheckpointTest, ARestoresHookThatFailsEndsIt) {
  use("notifies");
  ASSERT_TRUE(sys::replace_file(path("/image/descriptors.json"), "[]"));
  config_.hooks.emplace().create_runtime = {{"/bin/sh", {"sh", "-c", "exit 3"}, {}, {}}};
  auto options = restore_options();
  EXPECT_THAT(restore(options).error().message(),
              HasSubstr("error running createRuntime hook #0: exit status 3"));
}

TEST_F(CheckpointTest, AReadOnlyRootLendsItsTmpAndTakesItBack) {
  use("fails");
  ASSERT_TRUE(sys::replace_file(path("/image/descriptors.json"), "[]"));
  config_.root = spec::oci::Root{"root", true};
  EXPECT_THAT(restore(restore_options()).error().message(), HasSubstr("criu failed: type RESTORE errno 5"));
  EXPECT_FALSE(sys::exists(path("/root/tmp")));
  ASSERT_TRUE(sys::make_directories(path("/root/tmp")));
  EXPECT_FALSE(restore(restore_options()));
  EXPECT_TRUE(sys::exists(path("/root/tmp")));
}

TEST_F(CheckpointTest, NamesAreWhereTheMountsAre) {
  use("");
  const auto root = *sys::open_directory(path("/root"));
  EXPECT_THAT(*external_mounts_to_dump(config_, cgroup_, root),
              ElementsAre("mnt[/settings/file]:/settings/file", "mnt[/data]:/data",
                          "mnt[/run/below]:/run/below", "mnt[/proc/kcore]:/dev/null"));
  ASSERT_TRUE(make_mount_points(config_, path(""), root));
  EXPECT_THAT(*external_mounts_to_restore(config_, path(""), cgroup_, root),
              ElementsAre("mnt[/etc/file]:" + path("/host/file"), "mnt[/data]:" + path("/host"),
                          "mnt[/run/below]:" + path("/host"), "mnt[/dev/null]:/dev/null"));
}

TEST_F(CheckpointTest, MountPointsAreMadeWhereTheMountsWillBe) {
  use("");
  ASSERT_TRUE(make_mount_points(config_, path(""), *sys::open_directory(path("/root"))));
  EXPECT_EQ(*sys::read_file(path("/root/etc/file")), "");
  EXPECT_TRUE(sys::exists(path("/root/data")));
  EXPECT_TRUE(sys::exists(path("/host/sub/deep")));
  EXPECT_FALSE(sys::exists(path("/root/data/sub")));
  EXPECT_TRUE(sys::exists(path("/root/run")));
  EXPECT_FALSE(sys::exists(path("/root/run/below")));
  config_.mounts = {{"/x", "bind", "/no/where", {"bind"}}};
  EXPECT_THAT(make_mount_points(config_, "/", *sys::open_directory(path("/root"))).error().message(),
              HasSubstr("mount /x: "));
}

}  // namespace
}  // namespace skiff::runtime
