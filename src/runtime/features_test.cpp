#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/container.h"
#include "runtime/test_bundle.h"
#include "sys/cgroup.h"
#include "sys/file.h"

/// What runtime-spec 1.2 knows beyond what Docker asks for.
namespace skiff::runtime {
namespace {

using test::Bundle;
using testing::HasSubstr;
using testing::Not;

void in_user_namespace(CreateOptions& options) {
  auto& part = *options.config.linux_;
  part.namespaces.push_back({"user", ""});
  part.uid_mappings = part.gid_mappings = {{0, 100000, 1000}};
}

TEST(Features, ATimeNamespaceHasItsOffsets) {
  if (!sys::exists("/proc/self/timens_offsets")) GTEST_SKIP() << "this kernel has no time namespaces";
  const Bundle bundle;
  ASSERT_EQ(::chmod(bundle.path().c_str(), 0755), 0);
  for (const bool mapped : {false, true}) {
    auto options = bundle.options({"/bin/sleep", "100"});
    if (mapped) in_user_namespace(options);
    auto& part = *options.config.linux_;
    part.namespaces.push_back({"time", ""});
    part.time_offsets = {{"monotonic", {1000, 2}}, {"boottime", {5'000'000, 4}}};
    auto container = Container::create(options);
    ASSERT_TRUE(container.ok()) << container.error().message();
    ASSERT_TRUE(container->start().ok());
    // exec joins it too: no shell could tell the time otherwise than by its own clock.
    test::Pipe output;
    ExecOptions request;
    request.process = *options.config.process;
    request.process.args = {"cat", "/proc/self/timens_offsets", "/proc/uptime"};
    request.streams.out = output.write_end();
    auto executed = exec(container->process(), request);
    ASSERT_TRUE(executed.ok()) << executed.error().message();
    const auto text = output.read();
    EXPECT_EQ(test::exit_code(*executed->process.wait()), 0);
    EXPECT_THAT(text, testing::MatchesRegex("monotonic +1000 +2\nboottime +5000000 +4\n[5-9][0-9]{6,}\\..*"));
    (void)container->process().signal(SIGKILL);
    (void)container->process().wait();
    EXPECT_TRUE(container->cgroup().remove().ok());
  }
}

TEST(Features, AnIdMappedMountShowsOtherOwners) {
  const Bundle bundle;
  ASSERT_EQ(::chmod(bundle.path().c_str(), 0755), 0);
  const auto source = bundle.path() + "/data";
  ASSERT_TRUE(sys::make_directories(source).ok());
  ASSERT_TRUE(sys::replace_file(source + "/file", "x").ok());
  ASSERT_EQ(::chown((source + "/file").c_str(), 5, 6), 0);
  ASSERT_TRUE(sys::make_directories(bundle.root() + "/data").ok());
  ASSERT_TRUE(sys::make_directories(bundle.root() + "/plain").ok());
  auto options = bundle.options({"/bin/stat", "-c", "%u:%g", "/data/file", "/plain/file"});
  in_user_namespace(options);
  spec::oci::Mount mount("/data", "bind", source, {"rbind", "ridmap", "ro"});
  options.config.mounts.push_back(mount);  // by the container's own mappings
  options.config.mounts.emplace_back("/plain", "bind", source, std::vector<std::string>{"bind"});
  auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.output, "5:6\n65534:65534\n");
  mount.uid_mappings = {{5, 100007, 1}};
  mount.gid_mappings = {{6, 100008, 1}};
  mount.options = {"bind"};  // the mappings alone say it
  options.config.mounts[options.config.mounts.size() - 2] = mount;
  EXPECT_EQ(bundle.run(options).output, "7:8\n65534:65534\n");
  mount.gid_mappings.clear();
  options.config.mounts[options.config.mounts.size() - 2] = mount;
  EXPECT_EQ(bundle.run(options).error, "mount /data: uidMappings and gidMappings belong together");
}

TEST(Features, ATmpfsMayStartWithTheImagesFiles) {
  const Bundle bundle;
  const auto under = bundle.root() + "/srv";
  ASSERT_TRUE(sys::make_directories(under + "/a/b").ok());
  ASSERT_TRUE(sys::replace_file(under + "/a/b/f", std::string(200'000, 'x'), 0640).ok());
  ASSERT_EQ(::chown((under + "/a/b/f").c_str(), 12, 34), 0);
  ASSERT_EQ(::symlink("a/b/f", (under + "/link").c_str()), 0);
  ASSERT_EQ(::chmod(under.c_str(), 0701), 0);
  auto options = bundle.options(
      {"/bin/sh", "-c",
       "stat -c '%n %s %a %u:%g' /srv /srv/a/b/f; readlink /srv/link; touch /srv/new; stat -f -c %T /srv"});
  options.config.mounts.emplace_back("/srv", "tmpfs", "tmpfs",
                                     std::vector<std::string>{"tmpcopyup", "size=1m"});
  const auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.error, "");
  EXPECT_THAT(outcome.output, HasSubstr(" 701 0:0\n/srv/a/b/f 200000 640 12:34\na/b/f\ntmpfs\n"));
  EXPECT_FALSE(sys::exists(under + "/new"));
  options.config.mounts.back().options = {"tmpcopyup", "size=64k"};
  EXPECT_EQ(bundle.run(options).error, "copy the image's files up to /srv: no space left on device");
  options.config.mounts.back().type = "proc";
  EXPECT_EQ(bundle.run(options).error, "mount /srv: tmpcopyup is only for tmpfs");
}

TEST(Features, MountsAreListedInTheOrderOfTheConfiguration) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sh", "-c", "cut -d' ' -f5 /proc/self/mountinfo | grep /dev/shm/"});
  const std::vector<std::string> bind = {"bind"};
  options.config.mounts.emplace_back("/dev/shm/1", "bind", "/etc", bind);
  options.config.mounts.emplace_back("/dev/shm/2", "tmpfs", "tmpfs", std::vector<std::string>());
  options.config.mounts.emplace_back("/dev/shm/3", "bind", "/usr", bind);
  const auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.output, "/dev/shm/1\n/dev/shm/2\n/dev/shm/3\n");
}

TEST(Features, ALinkMayBeCopiedInsteadOfFollowed) {
  const Bundle bundle;
  const auto link = bundle.path() + "/zone";
  ASSERT_EQ(::symlink("no/where", link.c_str()), 0);
  auto options = bundle.options({"/bin/readlink", "/etc/deep/zone"});
  options.config.mounts.emplace_back("/etc/deep/zone", "bind", link,
                                     std::vector<std::string>{"rbind", "copy-symlink"});
  EXPECT_EQ(bundle.run(options).output, "no/where\n");
}

TEST(Features, DevicesOfAUserNamespaceHaveTheirModeAndOwner) {
  const Bundle bundle;
  ASSERT_EQ(::chmod(bundle.path().c_str(), 0755), 0);
  auto options = bundle.options({"/bin/stat", "-c", "%F %t:%T %a %u:%g", "/dev/none-such"});
  in_user_namespace(options);
  options.config.linux_->devices.push_back({"/dev/none-such", "c", 1, 3, 0146, 10, 11});
  const auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.output, "character special file 1:3 146 10:11\n");
}

TEST(Features, WithoutAMountNamespaceOnlyTheRootIsChanged) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sh", "-c", "ls /; readlink /proc/self; pwd"});
  auto& part = *options.config.linux_;
  std::erase_if(part.namespaces, [](const auto& space) { return space.type == "mount"; });
  EXPECT_THAT(bundle.run(options).error, HasSubstr("without a private MNT namespace"));
  part.masked_paths.clear();
  part.readonly_paths.clear();
  const auto before = *sys::read_file("/proc/self/mounts");
  const auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.error, "");
  EXPECT_THAT(outcome.output, HasSubstr("area"));
  EXPECT_THAT(outcome.warnings, testing::Contains(HasSubstr("mounts are left out")));
  EXPECT_THAT(*sys::read_file("/proc/self/mounts"), Not(HasSubstr(bundle.path()))) << before;
  // And an exec is in it.
  const auto shared = part;
  options = bundle.options({"/bin/sleep", "100"});
  options.config.linux_ = shared;
  auto container = Container::create(options);
  ASSERT_TRUE(container.ok()) << container.error().message();
  ASSERT_TRUE(container->start().ok());
  test::Pipe output;
  ExecOptions request;
  request.process = *options.config.process;
  request.process.args = {"/bin/sh", "-c", "ls -d /area; ls -di / /.."};
  request.streams.out = output.write_end();
  auto executed = exec(container->process(), request);
  ASSERT_TRUE(executed.ok()) << executed.error().message();
  struct stat root = {};
  ASSERT_EQ(::stat(bundle.root().c_str(), &root), 0);
  const auto text = output.read();
  EXPECT_THAT(text, testing::StartsWith("/area\n"));
  EXPECT_THAT(text, HasSubstr(fmt::format("{} /..\n", root.st_ino)));
  EXPECT_EQ(test::exit_code(*executed->process.wait()), 0);
  (void)container->process().signal(SIGKILL);
  (void)container->process().wait();
  EXPECT_TRUE(container->cgroup().remove().ok());
}

TEST(Features, ThePersonalityAndTheDomainNameAreSet) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sh", "-c", "uname -m; cat /proc/sys/kernel/domainname"});
  options.config.domainname = "example.org";
  options.config.linux_->personality = spec::oci::Personality{"LINUX32", {"UNKNOWN"}};
  const auto outcome = bundle.run(options);
  EXPECT_THAT(outcome.output, testing::AnyOf("i686\nexample.org\n", "armv8l\nexample.org\n"));
  EXPECT_THAT(outcome.warnings, testing::Contains("linux.personality.flags: UNKNOWN are ignored"));
}

TEST(Features, AnExecHasItsOwnCpus) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sleep", "100"});
  auto container = Container::create(options);
  ASSERT_TRUE(container.ok()) << container.error().message();
  ASSERT_TRUE(container->start().ok());
  test::Pipe output;
  ExecOptions request;
  request.process = *options.config.process;
  request.process.args = {"grep", "Cpus_allowed_list", "/proc/self/status"};
  request.process.exec_cpu_affinity = spec::oci::CpuAffinity{"0", "0"};
  request.cgroup = &container->cgroup();
  request.streams.out = output.write_end();
  auto executed = exec(container->process(), request);
  ASSERT_TRUE(executed.ok()) << executed.error().message();
  EXPECT_EQ(output.read(), "Cpus_allowed_list:\t0\n");
  EXPECT_EQ(test::exit_code(*executed->process.wait()), 0);
  (void)container->process().signal(SIGKILL);
  (void)container->process().wait();
  EXPECT_TRUE(container->cgroup().remove().ok());
}

TEST(Features, WhatTheMachineLacksIsSaid) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/true"});
  auto& part = *options.config.linux_;
  if (!sys::exists("/sys/fs/selinux/enforce")) {
    part.mount_label = "system_u:object_r:container_file_t:s0";
    EXPECT_THAT(bundle.run(options).warnings,
                testing::Contains("linux.mountLabel is not used: SELinux is not enabled on this machine"));
    part.mount_label.clear();
    options.config.process->selinux_label = "system_u:system_r:container_t:s0";
    EXPECT_EQ(bundle.run(options).error,
              "process.selinuxLabel is specified, but SELinux is not enabled on this machine");
    options.config.process->selinux_label.clear();
  }
  if (!sys::exists("/sys/kernel/security/apparmor")) {
    options.config.process->apparmor_profile = "docker-default";
    EXPECT_EQ(bundle.run(options).error,
              "process.apparmorProfile is \"docker-default\", but AppArmor is not enabled on this machine");
    options.config.process->apparmor_profile.clear();
  }
  if (!sys::exists("/sys/fs/resctrl/schemata")) {
    part.intel_rdt = spec::oci::IntelRdt{.clos_id = "gold"};
    EXPECT_EQ(
        bundle.run(options).error,
        "linux.intelRdt is specified in the configuration, but Intel RDT is not enabled on this machine");
  }
}

TEST(Features, HooksThatFailAreNamed) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/true"});
  auto& hooks = options.config.hooks.emplace();
  const spec::oci::Hook fails{"/bin/sh", {"sh", "-c", "echo out; echo no >&2; exit 3"}, {}, std::nullopt};
  const spec::oci::Hook hangs{"/bin/sleep", {"sleep", "100"}, {}, 1};
  hooks.create_runtime = {fails};
  EXPECT_EQ(bundle.run(options).error,
            "error running createRuntime hook #0: exit status 3, stdout: out, stderr: no");
  hooks.create_runtime = {hangs};
  EXPECT_EQ(bundle.run(options).error,
            "error running createRuntime hook #0: hook ran past specified timeout of 1.0s");
  hooks.create_runtime.clear();
  hooks.create_container = {fails};
  EXPECT_EQ(bundle.run(options).error, "error running createContainer hook #0: exit status 3");
  hooks.create_container = {hangs};
  EXPECT_EQ(bundle.run(options).error,
            "error running createContainer hook #0: hook ran past specified timeout of 1.0s");
  hooks.create_container = {{"/no/such", {}, {}, std::nullopt}};
  EXPECT_EQ(bundle.run(options).error,
            "error running createContainer hook #0: fork/exec /no/such: no such file or directory");
  EXPECT_FALSE(sys::Cgroup(*sys::CgroupLayout::detect(), bundle.id()).exists());
}

/// As the tools of graphics cards do: files are mounted into the root, which is found through config.json.
TEST(Features, CreateContainerHooksFindTheRootAtItsPath) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/cat", "/area/made"});
  const auto script = fmt::format(
      "cd {0} && stat -f -c %T dev proc >/dev/null && grep -q ' {0} ' /proc/self/mountinfo && [ -e dev/null "
      "] && "
      "mount -t tmpfs hook area && stat -f -c '%T' dev proc area >area/made",
      bundle.root());
  options.config.hooks.emplace().create_container = {{"/bin/sh", {"sh", "-c", script}, {}, std::nullopt}};
  const auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.output, "tmpfs\nproc\ntmpfs\n");
  EXPECT_THAT(*sys::read_file("/proc/self/mountinfo"), testing::Not(testing::HasSubstr(bundle.root())));
}

}  // namespace
}  // namespace skiff::runtime
