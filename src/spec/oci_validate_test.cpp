#include <gtest/gtest.h>

#include "spec/oci_runtime.h"

namespace skiff::spec::oci {
namespace {

Runtime good() {
  Runtime runtime;
  runtime.process.emplace().args = {"sh"};
  runtime.linux_.emplace();
  return runtime;
}

std::string complaint(const Runtime& runtime) {
  const auto result = validate(runtime);
  return result ? "" : result.error().message();
}

TEST(OciValidate, TakesAPlainConfiguration) { EXPECT_EQ(complaint(good()), ""); }

TEST(OciValidate, NamesTheMemberOfTheProcess) {
  auto runtime = good();
  runtime.process->cwd = "work";
  EXPECT_EQ(complaint(runtime), "process.cwd: \"work\" is not an absolute path");
  runtime = good();
  runtime.process->env = {"A=1", "B"};
  EXPECT_EQ(complaint(runtime), "process.env[1]: invalid environment variable: missing '='");
  runtime = good();
  runtime.process->oom_score_adj = 2000;
  EXPECT_EQ(complaint(runtime), "process.oomScoreAdj: 2000 is not from -1000 to 1000");
  runtime = good();
  runtime.process->io_priority = IoPriority{"IOPRIO_CLASS_BE", 9};
  EXPECT_EQ(complaint(runtime), "process.ioPriority.priority: 9 is not from 0 to 7");
  runtime = good();
  runtime.process->scheduler.emplace().policy = "SCHED_OTHER";
  runtime.process->scheduler->priority = 5;
  EXPECT_EQ(complaint(runtime),
            "process.scheduler.priority can only be specified for SCHED_FIFO or SCHED_RR policy");
  runtime = good();
  runtime.process->exec_cpu_affinity = CpuAffinity{"0-1", "two"};
  EXPECT_EQ(complaint(runtime), "process.execCPUAffinity.final: \"two\" is no list of CPUs");
}

TEST(OciValidate, HooksHaveAbsolutePathsAndPositiveTimeouts) {
  auto runtime = good();
  runtime.hooks.emplace().poststart = {{"/bin/true", {}, {}, 1}, {"true", {}, {}, std::nullopt}};
  EXPECT_EQ(complaint(runtime), "hooks.poststart[1].path: \"true\" is not an absolute path");
  runtime.hooks->poststart.pop_back();
  EXPECT_EQ(complaint(runtime), "");
  runtime.hooks->prestart = {{"/bin/true", {}, {}, 0}};
  EXPECT_EQ(complaint(runtime), "hooks.prestart[0].timeout: must be greater than zero");
}

TEST(OciValidate, AUserMustBeMapped) {
  auto runtime = good();
  auto& part = *runtime.linux_;
  part.namespaces = {{"user", ""}};
  part.uid_mappings = part.gid_mappings = {{0, 100000, 10}};
  runtime.process->user.uid = 9;
  EXPECT_EQ(complaint(runtime), "");
  runtime.process->user.uid = 10;
  EXPECT_EQ(complaint(runtime), "process.user.uid: 10 is not mapped in the user namespace");
  runtime.process->user = {.uid = 0, .gid = 0, .umask = {}, .additional_gids = {3, 77}, .username = {}};
  EXPECT_EQ(complaint(runtime), "process.user.additionalGids: 77 is not mapped in the user namespace");
  part.namespaces = {{"user", "/proc/1/ns/user"}};
  EXPECT_EQ(complaint(runtime), "") << "the mappings of a joined namespace are not ours to know";
}

TEST(OciValidate, TimeOffsetsNeedANewTimeNamespace) {
  auto runtime = good();
  auto& part = *runtime.linux_;
  part.time_offsets = {{"monotonic", {1, 2}}};
  EXPECT_NE(complaint(runtime), "");
  part.namespaces = {{"time", ""}};
  EXPECT_EQ(complaint(runtime), "");
  part.time_offsets = {{"realtime", {1, 2}}};
  EXPECT_EQ(complaint(runtime), "linux.timeOffsets: unknown clock \"realtime\"");
}

TEST(OciValidate, SeccompNotificationsNeedAListener) {
  auto runtime = good();
  auto& seccomp = runtime.linux_->seccomp.emplace();
  seccomp.default_action = "SCMP_ACT_NOTIFY";
  EXPECT_EQ(complaint(runtime),
            "linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action");
  seccomp.default_action = "SCMP_ACT_ALLOW";
  seccomp.syscalls.push_back({{"mkdir"}, "SCMP_ACT_NOTIFY", {}, {}});
  EXPECT_EQ(complaint(runtime), "linux.seccomp.listenerPath: is needed by SCMP_ACT_NOTIFY in syscalls[0]");
  seccomp.listener_path = "/run/agent";
  EXPECT_EQ(complaint(runtime), "");
}

TEST(OciValidate, CpuLists) {
  EXPECT_EQ(parse_cpu_list("0-2, 7,1"), (std::vector<unsigned>{0, 1, 2, 7}));
  for (const char* bad : {"", "a", "2-1", "1,", "5000"}) EXPECT_FALSE(parse_cpu_list(bad)) << bad;
}

}  // namespace
}  // namespace skiff::spec::oci
