#include "runtime/container.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/launch.h"
#include "runtime/test_bundle.h"
#include "spec/defaults.h"
#include "spec/platform.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace skiff::runtime {
namespace {

using test::Bundle;
using testing::HasSubstr;
using testing::Not;

TEST(Container, RunsAProgramAndTellsItsExitCode) {
  const Bundle bundle;
  const auto outcome = bundle.shell("echo hello; exit 7");
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.output, "hello\n");
  EXPECT_EQ(outcome.code, 7);
}

TEST(Container, HasNamespacesOfItsOwn) {
  const Bundle bundle;
  const auto outcome = bundle.shell("echo $$; hostname; ls -A /; cat /proc/self/cgroup; pwd");
  EXPECT_THAT(outcome.output, testing::StartsWith("1\nbox\n"));
  EXPECT_THAT(outcome.output, HasSubstr(":/\n"));
  EXPECT_THAT(outcome.output, Not(HasSubstr(bundle.id())));
}

TEST(Container, SaysWhyAProgramCannotRun) {
  const Bundle bundle;
  auto outcome = bundle.run_program({"nosuch"});
  EXPECT_EQ(outcome.error, "exec: \"nosuch\": executable file not found in $PATH");
  EXPECT_EQ(outcome.kind, Kind::NotFound);
  outcome = bundle.run_program({"/nope"});
  EXPECT_EQ(outcome.error, "exec: \"/nope\": stat /nope: no such file or directory");
  EXPECT_EQ(outcome.kind, Kind::NotFound);
  outcome = bundle.run_program({"/tmp"});
  EXPECT_EQ(outcome.error, "exec: \"/tmp\": is a directory: permission denied");
  EXPECT_EQ(outcome.kind, Kind::Forbidden);
  ASSERT_TRUE(sys::replace_file(bundle.root() + "/etc/plain", "x", 0644).ok());
  outcome = bundle.run_program({"/etc/plain"});
  EXPECT_EQ(outcome.error, "exec: \"/etc/plain\": permission denied");
  EXPECT_EQ(outcome.kind, Kind::Forbidden);
}

TEST(Container, DevicesAreThoseOfDocker) {
  const Bundle bundle;
  const auto outcome = bundle.shell(
      "ls /dev; stat -c '%n %t:%T %a' /dev/null /dev/tty; readlink /dev/fd; readlink /dev/ptmx; echo x > "
      "/dev/null && "
      "head -c 4 /dev/urandom > /dev/full; mount");
  EXPECT_THAT(outcome.output, HasSubstr("/dev/null 1:3 666"));
  EXPECT_THAT(outcome.output, HasSubstr("/dev/tty 5:0 666"));
  EXPECT_THAT(outcome.output, HasSubstr("/proc/self/fd\npts/ptmx"));
  EXPECT_THAT(outcome.output, HasSubstr("No space left"));
  EXPECT_THAT(outcome.output, HasSubstr("mqueue"));
  EXPECT_THAT(outcome.output, HasSubstr("/dev/shm"));
}

TEST(Container, MaskedAndReadonlyPathsHold) {
  const Bundle bundle;
  const auto outcome = bundle.shell(
      "cat /proc/kcore | head -c 10; ls -A /sys/firmware; echo 1 > /proc/sys/kernel/panic; echo 1 > "
      "/proc/irq/default_smp_affinity; "
      "ls -A /proc/acpi");
  EXPECT_THAT(outcome.output, HasSubstr("can't create /proc/sys/kernel/panic: Read-only file system"));
  EXPECT_THAT(outcome.output,
              HasSubstr("can't create /proc/irq/default_smp_affinity: Read-only file system"));
}

TEST(Container, ReadonlyRootRefusesWrites) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sh", "-c", "touch /x; touch /dev/shm/y && echo fine"});
  options.config.root->readonly = true;
  const auto outcome = bundle.run(options);
  EXPECT_THAT(outcome.output, HasSubstr("Read-only file system"));
  EXPECT_THAT(outcome.output, HasSubstr("fine"));
}

TEST(Container, RunsAsTheUserWithTheCapabilitiesAskedFor) {
  const Bundle bundle;
  auto options =
      bundle.options({"/bin/sh", "-c",
                      "id; grep Cap /proc/self/status; grep NoNew /proc/self/status; umask; touch /root/x"});
  auto& process = *options.config.process;
  process.user.uid = 1000;
  process.user.gid = 1001;
  process.user.additional_gids = {5, 6};
  process.user.umask = 027;
  process.no_new_privileges = true;
  process.capabilities->ambient = process.capabilities->inheritable = {"CAP_NET_BIND_SERVICE"};
  const auto outcome = bundle.run(options);
  EXPECT_THAT(outcome.output, HasSubstr("uid=1000 gid=1001 groups=5,6"));
  EXPECT_THAT(outcome.output, HasSubstr("CapEff:\t0000000000000400"));
  EXPECT_THAT(outcome.output, HasSubstr("CapBnd:\t00000000a80425fb"));
  EXPECT_THAT(outcome.output, HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(outcome.output, HasSubstr("0027"));
  EXPECT_THAT(outcome.output, HasSubstr("Permission denied"));
}

TEST(Container, RootKeepsDockersCapabilities) {
  const Bundle bundle;
  EXPECT_THAT(bundle.shell("grep CapEff /proc/self/status").output, HasSubstr("00000000a80425fb"));
}

TEST(Container, SeccompFiltersCalls) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sh", "-c", "mkdir /area/a; echo $?"});
  options.config.linux_->seccomp = spec::oci::Seccomp{};
  auto& seccomp = *options.config.linux_->seccomp;
  seccomp.default_action = "SCMP_ACT_ALLOW";
  seccomp.syscalls.push_back({{"mkdir", "mkdirat"}, "SCMP_ACT_ERRNO", 28, {}});
  options.seccomp_cache = bundle.path() + "/filters";
  EXPECT_THAT(bundle.run(options).output, HasSubstr("No space left on device"));
  EXPECT_EQ(sys::list_directory(options.seccomp_cache)->size(), 1U);
  EXPECT_THAT(bundle.run(options).output, HasSubstr("No space left on device")) << "from the cache";
}

TEST(Container, PidsLimitHolds) {
  const Bundle bundle;
  auto options =
      bundle.options({"/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; echo forked"});
  options.config.linux_->resources->pids = spec::oci::Pids{4};
  EXPECT_THAT(bundle.run(options).output, HasSubstr("can't fork"));
}

TEST(Container, BindMountsMayBeReadonlyAndFiles) {
  const Bundle bundle;
  ASSERT_TRUE(sys::make_directories(bundle.path() + "/data").ok());
  ASSERT_TRUE(sys::replace_file(bundle.path() + "/data/file", "content\n").ok());
  auto options = bundle.options(
      {"/bin/sh", "-c", "cat /new/place/file /etc/one; touch /new/place/x; touch /rw/y && echo written"});
  options.config.mounts.emplace_back("/new/place", "bind", bundle.path() + "/data",
                                     std::vector<std::string>{"rbind", "ro"});
  options.config.mounts.emplace_back("/etc/one", "bind", "data/file", std::vector<std::string>{"bind"});
  options.config.mounts.emplace_back("/rw", "bind", bundle.path() + "/data",
                                     std::vector<std::string>{"rbind", "rprivate"});
  const auto outcome = bundle.run(options);
  EXPECT_THAT(outcome.output, HasSubstr("content\ncontent\n"));
  EXPECT_THAT(outcome.output, HasSubstr("Read-only file system"));
  EXPECT_THAT(outcome.output, HasSubstr("written"));
  EXPECT_TRUE(sys::exists(bundle.path() + "/data/y"));
}

TEST(Container, MountDestinationsNeverLeaveTheRoot) {
  const Bundle bundle;
  ASSERT_EQ(::symlink("/../../../../tmp", (bundle.root() + "/escape").c_str()), 0);
  ASSERT_EQ(::symlink("/var-run", (bundle.root() + "/dangling").c_str()), 0);
  auto options = bundle.options({"/bin/sh", "-c", "ls -d /tmp/mine /var-run/x"});
  options.config.mounts.emplace_back("/escape/mine", "tmpfs", "tmpfs", std::vector<std::string>{"size=64k"});
  options.config.mounts.emplace_back("/dangling/x", "tmpfs", "tmpfs", std::vector<std::string>{"mode=700"});
  const auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.output, "/tmp/mine\n/var-run/x\n") << outcome.error;
  EXPECT_FALSE(sys::exists("/tmp/mine"));
}

TEST(Container, NothingIsMountedOverProc) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/true"});
  options.config.mounts.emplace_back("/proc/self/attr", "tmpfs", "tmpfs", std::vector<std::string>{});
  EXPECT_THAT(bundle.run(options).error, HasSubstr("operation not permitted"));
}

TEST(Container, AnOverlayIsItsRoot) {
  const Bundle bundle;
  for (const char* name : {"upper", "work", "low"})
    ASSERT_TRUE(sys::make_directories(bundle.path() + "/" + name).ok());
  ASSERT_TRUE(sys::replace_file(bundle.path() + "/low/extra", "layered\n").ok());
  auto options = bundle.options({"/bin/sh", "-c", "cat /extra; touch /made"});
  options.rootfs.push_back({"",
                            "overlay",
                            "overlay",
                            {"lowerdir+=" + bundle.path() + "/low", "lowerdir+=" + bundle.root(),
                             "upperdir=" + bundle.path() + "/upper", "workdir=" + bundle.path() + "/work"}});
  const auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.output, "layered\n") << outcome.error;
  EXPECT_TRUE(sys::exists(bundle.path() + "/upper/made"));
  EXPECT_FALSE(sys::exists(bundle.root() + "/made"));
}

TEST(Container, TheWorkingDirectoryIsMadeAndStaysInside) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sh", "-c", "pwd"});
  options.config.process->cwd = "/made/for/me";
  EXPECT_EQ(bundle.run(options).output, "/made/for/me\n");
  options.config.process->cwd = "/proc/self/fd/7";
  EXPECT_THAT(bundle.run(options).error, HasSubstr("chdir to cwd"));
}

TEST(Container, NoDescriptorLeaksIn) {
  const Bundle bundle;
  const int leaked = ::open("/", O_RDONLY | O_DIRECTORY);  // not close-on-exec, on purpose
  const auto outcome = bundle.run_program({"/bin/ls", "/proc/self/fd"});
  ::close(leaked);
  EXPECT_EQ(outcome.output, "0\n1\n2\n3\n") << "3 is ls's own";
}

TEST(Container, ATerminalIsHandedOver) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sh", "-c", "tty; stty size; ls -l /dev/console; exit 3"});
  options.config.process->terminal = true;
  options.config.process->console_size = spec::oci::ConsoleSize{31, 97};
  auto container = Container::create(options);
  ASSERT_TRUE(container.ok()) << container.error().message();
  const auto console = container->take_console();
  ASSERT_TRUE(console.valid());
  ASSERT_TRUE(container->start().ok());
  std::string output;
  char buffer[512];
  for (ssize_t size = 0; (size = ::read(console.get(), buffer, sizeof buffer)) > 0;)
    output.append(buffer, static_cast<std::size_t>(size));
  EXPECT_EQ(test::exit_code(*container->process().wait()), 3);
  EXPECT_THAT(output, HasSubstr("/dev/pts/0"));
  EXPECT_THAT(output, HasSubstr("31 97"));
  EXPECT_TRUE(sys::Cgroup(*sys::CgroupLayout::detect(), bundle.id()).remove().ok());
}

TEST(Container, TheBuiltInInitReapsAndForwards) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sh", "-c", "echo $$; exit 9"});
  options.init = true;
  auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.output, "2\n") << outcome.error;
  EXPECT_EQ(outcome.code, 9);
  options = bundle.options({"nosuch"});
  options.init = true;
  EXPECT_EQ(bundle.run(options).kind, Kind::NotFound);
  options = bundle.options({"/bin/sh", "-c", "trap 'exit 5' TERM; echo ready; sleep 60 & wait"});
  options.init = true;
  test::Pipe output;
  options.streams.out = output.write_end();
  auto container = Container::create(options);
  ASSERT_TRUE(container.ok());
  ASSERT_TRUE(container->start().ok());
  EXPECT_EQ(output.read_line(), "ready");
  ASSERT_TRUE(container->process().signal(SIGTERM).ok());
  EXPECT_EQ(test::exit_code(*container->process().wait()), 5);
  EXPECT_TRUE(sys::Cgroup(*sys::CgroupLayout::detect(), bundle.id()).remove().ok());
}

TEST(Container, InitAndHooksForkUnderDockersFilter) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sh", "-c", "test $$ != 1 && cat /area/hooked; exit 9"});
  // This profile answers clone3 with ENOSYS.
  options.config.linux_->seccomp =
      spec::default_seccomp(spec::default_capabilities(), spec::Platform::host().architecture, 6, 1);
  spec::oci::Hook hook;
  hook.path = "/bin/sh";
  hook.args = {"sh", "-c", "echo ran > /area/hooked"};
  hook.timeout = 30;
  options.config.hooks.emplace().start_container.push_back(hook);
  for (const bool no_new_privileges : {false, true}) {
    options.config.process->no_new_privileges = no_new_privileges;
    options.init = true;
    const auto outcome = bundle.run(options);
    EXPECT_EQ(outcome.error, "");
    EXPECT_EQ(outcome.output, "ran\n");
    EXPECT_EQ(outcome.code, 9);
  }
}

TEST(Container, DroppingItBeforeTheStartLeavesNothing) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/true"});
  pid_t pid = 0;
  {
    auto container = Container::create(options);
    ASSERT_TRUE(container.ok()) << container.error().message();
    pid = container->process().pid();
    EXPECT_EQ(::kill(pid, 0), 0);
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

TEST(Container, AProcessThatStandsStillIsWaitedForInVain) {
  using namespace std::chrono_literals;
  const Bundle bundle;
  auto options = bundle.options({"/bin/sleep", "100"});
  options.patience = 3s;
  {
    auto container = Container::create(options);
    ASSERT_TRUE(container.ok()) << container.error().message();
    const pid_t pid = container->process().pid();
    // As another in its pid namespace could do it.
    ASSERT_TRUE(container->process().signal(SIGSTOP).ok());
    const auto started = container->start();
    ASSERT_FALSE(started.ok());
    EXPECT_THAT(started.error().message(), HasSubstr("stands still during its set-up"));
    EXPECT_EQ(::kill(pid, 0), -1) << "killed and reaped";
    EXPECT_FALSE(container->cgroup().exists());
  }
  spec::oci::Hook hook;
  hook.path = "/bin/sleep";
  hook.args = {"sleep", "1000"};
  options.config.hooks.emplace().create_container.push_back(hook);
  options.patience = 200ms;
  const auto made = Container::create(options);
  ASSERT_FALSE(made.ok());
  EXPECT_THAT(made.error().message(), HasSubstr("stands still during its set-up"));
}

TEST(Container, AUserNamespaceMapsIds) {
  const Bundle bundle;
  auto options =
      bundle.options({"/bin/sh", "-c", "id -u; cat /proc/self/uid_map; echo x > /dev/null && echo devices"});
  auto& part = *options.config.linux_;
  part.namespaces.push_back({"user", ""});
  part.uid_mappings = {{0, 100000, 65536}};
  part.gid_mappings = {{0, 100000, 65536}};
  ASSERT_EQ(::chmod(bundle.path().c_str(), 0755), 0);
  const auto outcome = bundle.run(options);
  EXPECT_EQ(outcome.error, "");
  EXPECT_THAT(outcome.output, HasSubstr("100000"));
  EXPECT_THAT(outcome.output, testing::StartsWith("0\n"));
  EXPECT_THAT(outcome.output, HasSubstr("devices"));
}

/// The state a process is born with, told by its exit code: what runs in the container may look at it before
/// it has done anything itself (CVE-2016-9962).
TEST(Launch, AProcessIsClosedToOthersFromItsFirstInstant) {
  for (const bool join : {false, true}) {
    Birthplace place;
    const auto self = sys::Process::open(::getpid());
    ASSERT_TRUE(self.ok());
    if (join) {
      place.target_pidfd = self->pidfd().get();
      place.target_namespaces = CLONE_NEWUTS;
    }
    const auto process = launch(
        place, [](void*) { ::_exit(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)); }, nullptr);
    ASSERT_TRUE(process.ok()) << process.error().message();
    EXPECT_EQ(test::exit_code(*process->wait()), 0);
    EXPECT_EQ(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1) << "and we are as before";
  }
}

TEST(Exec, NobodyWaitsForAProcessThatStandsStill) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sleep", "100"});
  auto container = Container::create(options);
  ASSERT_TRUE(container.ok()) << container.error().message();
  ASSERT_TRUE(container->start().ok());
  ExecOptions request;
  request.process = *options.config.process;
  request.process.args = {"true"};
  request.cgroup = &container->cgroup();
  // In a frozen cgroup it gets nowhere, as if somebody in the container had stopped it.
  ASSERT_TRUE(container->cgroup().freeze(true).ok());
  pid_t pid = 0;
  {
    auto pending = PendingExec::begin(container->process(), request);
    ASSERT_TRUE(pending.ok()) << pending.error().message();
    pid = pending->process().pid();
    pollfd entry = {pending->socket().get(), POLLIN, 0};
    EXPECT_EQ(::poll(&entry, 1, 0), 0);
    ASSERT_TRUE(container->cgroup().freeze(false).ok());
  }
  EXPECT_EQ(::kill(pid, 0), -1) << "dropped, killed and reaped";
  ASSERT_TRUE(container->process().signal(SIGKILL).ok());
  EXPECT_EQ(test::exit_code(*container->process().wait()), 137);
  EXPECT_TRUE(container->cgroup().remove().ok());
}

TEST(Exec, RunsInsideTheContainer) {
  const Bundle bundle;
  auto options = bundle.options({"/bin/sleep", "100"});
  auto container = Container::create(options);
  ASSERT_TRUE(container.ok()) << container.error().message();
  ASSERT_TRUE(container->start().ok());

  test::Pipe output;
  ExecOptions request;
  request.process = *options.config.process;
  request.process.args = {"sh", "-c", "hostname; cat /proc/1/comm; cat /proc/self/cgroup; exit 4"};
  request.cgroup = &container->cgroup();
  request.streams.out = request.streams.err = output.write_end();
  auto executed = exec(container->process(), request);
  ASSERT_TRUE(executed.ok()) << executed.error().message();
  const auto text = output.read();
  EXPECT_EQ(test::exit_code(*executed->process.wait()), 4);
  EXPECT_THAT(text, testing::StartsWith("box\nsleep\n"));
  EXPECT_THAT(text, HasSubstr(":/\n"));

  request.process.args = {"nosuch"};
  request.streams = {};
  executed = exec(container->process(), request);
  ASSERT_FALSE(executed.ok());
  EXPECT_EQ(executed.error().message(), "exec: \"nosuch\": executable file not found in $PATH");
  EXPECT_EQ(executed.error().kind(), Kind::NotFound);

  request.process.args = {"/bin/tty"};
  request.process.terminal = true;
  executed = exec(container->process(), request);
  ASSERT_TRUE(executed.ok()) << executed.error().message();
  EXPECT_TRUE(executed->console.valid());
  EXPECT_EQ(test::exit_code(*executed->process.wait()), 0);

  ASSERT_TRUE(container->process().signal(SIGKILL).ok());
  EXPECT_EQ(test::exit_code(*container->process().wait()), 137);
  EXPECT_TRUE(sys::Cgroup(*sys::CgroupLayout::detect(), bundle.id()).remove().ok());
}

}  // namespace
}  // namespace skiff::runtime
