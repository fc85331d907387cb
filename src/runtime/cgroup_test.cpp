#include "runtime/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/ids.h"
#include "base/strings.h"
#include "runtime/device_filter.h"
#include "runtime/stats.h"
#include "runtime/systemd_unit.h"
#include "sys/cgroup.h"
#include "sys/file.h"

namespace skiff::runtime {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

/// Hierarchies made of plain directories: what is written can be read back.
class FakeHierarchies : public testing::Test {
 protected:
  FakeHierarchies() : path_("/tmp/skiff-cgroup-test-" + random_hex(6)) {}
  ~FakeHierarchies() override { EXPECT_TRUE(sys::remove_tree(path_).ok()); }

  sys::Cgroup make(const std::vector<std::vector<std::string>>& controllers, bool unified) {
    std::vector<sys::CgroupHierarchy> list;
    for (const auto& names : controllers)
      list.push_back({names, "", path_ + "/" + names.front(), "/", unified});
    sys::Cgroup cgroup(sys::CgroupLayout(list), "skiff/one");
    for (const auto& hierarchy : list) EXPECT_TRUE(sys::make_directories(cgroup.directory(hierarchy)).ok());
    return cgroup;
  }
  void file(const sys::Cgroup& cgroup, const std::string& controller, const std::string& name,
            const std::string& text = "") {
    EXPECT_TRUE(sys::replace_file(cgroup.directory(controller) + "/" + name, text).ok());
  }
  static std::string content(const sys::Cgroup& cgroup, const std::string& controller,
                             const std::string& name) {
    return std::string(trim(cgroup.read(controller, name).value_or("<missing>")));
  }

  std::string path_;
};

TEST_F(FakeHierarchies, OnlyEmptyDirectoriesGoByThemselves) {
  const auto cgroup = make({{"memory"}, {"pids"}}, false);
  ASSERT_TRUE(sys::make_directories(cgroup.directory("pids") + "/container").ok());
  ASSERT_TRUE(cgroup.remove_if_empty().ok());
  EXPECT_FALSE(sys::exists(cgroup.directory("memory")));
  EXPECT_TRUE(sys::exists(cgroup.directory("pids") + "/container"));
}

TEST_F(FakeHierarchies, VersionOneTakesTheValuesAsTheyAre) {
  const auto cgroup = make({{"memory"}, {"cpu", "cpuacct"}, {"pids"}}, false);
  for (const char* name :
       {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes"})
    file(cgroup, "memory", name);
  for (const char* name : {"cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us"}) file(cgroup, "cpu", name);
  file(cgroup, "pids", "pids.max");
  spec::oci::Resources resources;
  auto& memory = resources.memory.emplace();
  memory.limit = 1048576;
  memory.swap = 2097152;
  memory.reservation = 4096;
  auto& cpu = resources.cpu.emplace();
  cpu.shares = 512;
  cpu.quota = 50000;
  cpu.period = 100000;
  resources.pids = spec::oci::Pids{-1};
  const auto applied = update_resources(cgroup, resources, nullptr);
  ASSERT_TRUE(applied.ok()) << applied.error().message();
  EXPECT_EQ(content(cgroup, "memory", "memory.limit_in_bytes"), "1048576");
  EXPECT_EQ(content(cgroup, "memory", "memory.memsw.limit_in_bytes"), "2097152");
  EXPECT_EQ(content(cgroup, "cpu", "cpu.shares"), "512");
  EXPECT_EQ(content(cgroup, "cpu", "cpu.cfs_quota_us"), "50000");
  EXPECT_EQ(content(cgroup, "pids", "pids.max"), "max");
}

TEST_F(FakeHierarchies, VersionTwoHasItsOwnUnits) {
  const auto cgroup = make({{"memory", "cpu", "pids", "io"}}, true);
  for (const char* name : {"memory.max", "memory.swap.max", "memory.low", "cpu.weight", "cpu.max", "pids.max",
                           "io.weight", "io.max"})
    file(cgroup, "memory", name);
  spec::oci::Resources resources;
  auto& memory = resources.memory.emplace();
  memory.limit = 1048576;
  memory.swap = 3145728;
  auto& cpu = resources.cpu.emplace();
  cpu.shares = 1024;
  cpu.quota = 50000;
  cpu.period = 100000;
  resources.pids = spec::oci::Pids{20};
  auto& io = resources.block_io.emplace();
  io.weight = 500;
  io.throttle_read_bps = {{8, 0, 1000}};
  const auto applied = update_resources(cgroup, resources, nullptr);
  ASSERT_TRUE(applied.ok()) << applied.error().message();
  EXPECT_EQ(content(cgroup, "memory", "memory.max"), "1048576");
  EXPECT_EQ(content(cgroup, "memory", "memory.swap.max"), "2097152");
  EXPECT_EQ(content(cgroup, "cpu", "cpu.weight"), "39");
  EXPECT_EQ(content(cgroup, "cpu", "cpu.max"), "50000 100000");
  EXPECT_EQ(content(cgroup, "pids", "pids.max"), "20");
  EXPECT_EQ(content(cgroup, "io", "io.weight"), "default 4950");
  EXPECT_EQ(content(cgroup, "io", "io.max"), "8:0 rbps=1000");
}

/// A file that is no cgroup's keeps the end of what was longer: values are told by their beginnings.
TEST_F(FakeHierarchies, WhatAFailedUpdateWroteIsSetBack) {
  const auto cgroup = make({{"memory"}, {"cpu"}, {"cpuset"}, {"blkio"}}, false);
  file(cgroup, "memory", "memory.limit_in_bytes", "4096\n");
  file(cgroup, "memory", "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\n");
  file(cgroup, "cpu", "cpu.shares", "300\n");
  file(cgroup, "blkio", "blkio.throttle.read_bps_device", "8:0 70\n8:16 80\n");
  file(cgroup, "blkio", "blkio.bfq.weight", "100\n");
  spec::oci::Resources resources;
  resources.memory.emplace().limit = 8192;
  resources.memory->disable_oom_killer = true;
  resources.cpu.emplace().shares = 512;
  resources.block_io.emplace().weight = 50;
  resources.block_io->throttle_read_bps = {{8, 16, 1}};
  resources.pids = spec::oci::Pids{5};  // there is no such controller
  EXPECT_FALSE(update_limits(cgroup, "", resources).ok());
  EXPECT_THAT(content(cgroup, "memory", "memory.limit_in_bytes"), StartsWith("4096"));
  EXPECT_THAT(content(cgroup, "memory", "memory.oom_control"), StartsWith("0"));
  EXPECT_THAT(content(cgroup, "cpu", "cpu.shares"), StartsWith("300"));
  FormerValues former;
  resources.pids.reset();
  ASSERT_TRUE(update_resources(cgroup, resources, &former).ok());
  EXPECT_THAT(content(cgroup, "cpu", "cpu.shares"), StartsWith("512"));
  EXPECT_THAT(content(cgroup, "blkio", "blkio.throttle.read_bps_device"), StartsWith("8:16 1"));
  ASSERT_TRUE(former.restore().ok());
  EXPECT_THAT(content(cgroup, "cpu", "cpu.shares"), StartsWith("300"));
  EXPECT_THAT(content(cgroup, "blkio", "blkio.bfq.weight"), StartsWith("100"));
  EXPECT_THAT(content(cgroup, "blkio", "blkio.throttle.read_bps_device"), StartsWith("8:16 80"));
}

TEST_F(FakeHierarchies, TheFormerValueOfADeviceWithoutALineIsNone) {
  const auto cgroup = make({{"memory", "cpu", "io"}}, true);
  file(cgroup, "io", "io.max", "8:16 rbps=80 wbps=max riops=max wiops=max\n");
  file(cgroup, "io", "io.weight", "default 200\n8:0 10\n");
  file(cgroup, "cpu", "cpu.max", "max 100000\n");
  spec::oci::Resources resources;
  auto& io = resources.block_io.emplace();
  io.weight = 500;
  io.throttle_write_iops = {{8, 0, 7}};
  resources.cpu.emplace().quota = 5000;
  FormerValues former;
  ASSERT_TRUE(update_resources(cgroup, resources, &former).ok());
  EXPECT_THAT(content(cgroup, "io", "io.max"), StartsWith("8:0 wiops=7"));
  EXPECT_THAT(content(cgroup, "cpu", "cpu.max"), StartsWith("5000"));
  ASSERT_TRUE(former.restore().ok());
  EXPECT_THAT(content(cgroup, "io", "io.max"), StartsWith("8:0 wiops=max"));
  EXPECT_THAT(content(cgroup, "io", "io.weight"), StartsWith("default 200"));
  EXPECT_THAT(content(cgroup, "cpu", "cpu.max"), StartsWith("max 100000"));
}

TEST_F(FakeHierarchies, ALimitWithoutItsControllerIsNamed) {
  const auto cgroup = make({{"memory"}}, false);
  spec::oci::Resources resources;
  resources.pids = spec::oci::Pids{5};
  const auto applied = update_resources(cgroup, resources, nullptr);
  ASSERT_FALSE(applied.ok());
  EXPECT_EQ(applied.error().kind(), Kind::NotFound);
  EXPECT_THAT(applied.error().message(), HasSubstr("pids"));
  EXPECT_TRUE(apply_resources(cgroup, {}).ok());
}

TEST_F(FakeHierarchies, StatisticsLookTheSameForBothVersions) {
  const auto one = make({{"memory"}, {"cpuacct"}, {"pids"}, {"blkio"}}, false);
  file(one, "memory", "memory.usage_in_bytes", "4096\n");
  file(one, "memory", "memory.limit_in_bytes", "9223372036854771712\n");
  file(one, "memory", "memory.stat", "cache 1\nrss 2\n");
  file(one, "cpuacct", "cpuacct.usage", "5000\n");
  file(one, "cpuacct", "cpuacct.stat", "user 2\nsystem 1\n");
  file(one, "cpuacct", "cpuacct.usage_percpu", "3000 2000 \n");
  file(one, "pids", "pids.current", "3\n");
  file(one, "pids", "pids.max", "max\n");
  file(one, "blkio", "blkio.throttle.io_service_bytes", "8:0 Read 10\n8:0 Write 20\nTotal 30\n");
  const auto stats = read_stats(one);
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->memory.usage, 4096U);
  EXPECT_EQ(stats->memory.limit, UINT64_MAX);
  EXPECT_EQ(stats->memory.details.at("rss"), 2U);
  EXPECT_EQ(stats->cpu.total, 5000U);
  EXPECT_EQ(stats->cpu.user, 20'000'000U);
  EXPECT_EQ(stats->cpu.per_cpu, (std::vector<std::uint64_t>{3000, 2000}));
  EXPECT_EQ(stats->pids.current, 3U);
  EXPECT_EQ(stats->pids.limit, 0U);
  ASSERT_EQ(stats->block_io.bytes.size(), 2U);
  EXPECT_EQ(stats->block_io.bytes[1].operation, "Write");
  EXPECT_EQ(stats->block_io.bytes[1].value, 20U);
  const auto again = json::decode<Stats>(json::encode(*stats));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->cpu.total, 5000U);
}

TEST_F(FakeHierarchies, ProcessesOfAllLevelsAreFound) {
  const auto cgroup = make({{"pids"}}, false);
  file(cgroup, "pids", "cgroup.procs", "12\n7\n");
  ASSERT_TRUE(sys::make_directories(cgroup.directory("pids") + "/below").ok());
  ASSERT_TRUE(sys::replace_file(cgroup.directory("pids") + "/below/cgroup.procs", "9\n").ok());
  EXPECT_EQ(*cgroup.processes(), (std::vector<pid_t>{7, 9, 12}));
}

TEST(Cgroup, RealDirectoriesComeAndGo) {
  const auto layout = sys::CgroupLayout::detect();
  ASSERT_TRUE(layout.ok());
  sys::Cgroup cgroup(*layout, "skiff-cgroup-test-" + random_hex(6) + "/leaf");
  ASSERT_TRUE(cgroup.create().ok());
  EXPECT_TRUE(cgroup.exists());
  EXPECT_TRUE(cgroup.processes()->empty());
  ASSERT_TRUE(cgroup.remove().ok());
  EXPECT_FALSE(cgroup.exists());
  const sys::Cgroup parent(*layout, cgroup.path().substr(0, cgroup.path().find('/')));
  EXPECT_TRUE(parent.exists());
  EXPECT_TRUE(parent.remove().ok());
  EXPECT_TRUE(parent.remove().ok()) << "a missing one is fine";
}

TEST(DeviceProgram, EndsAtTheRuleThatSaysSomethingAboutEverything) {
  const auto open = device_program({});
  EXPECT_EQ(open.back().code, BPF_JMP | BPF_EXIT);
  EXPECT_EQ(open[open.size() - 2].imm, 1);
  const auto closed =
      device_program({{false, "a", std::nullopt, std::nullopt, "rwm"}, {true, "c", 1, 3, "rw"}});
  EXPECT_EQ(closed[closed.size() - 2].imm, 0) << "what no later rule allows is denied";
  const auto reopened = device_program(
      {{false, "a", std::nullopt, std::nullopt, "rwm"}, {true, "a", std::nullopt, std::nullopt, "rwm"}});
  EXPECT_EQ(reopened.size(), open.size());
}

TEST(Weights, AreConvertedBetweenVersions) {
  EXPECT_EQ(cpu_weight_from_shares(2), 1U);
  EXPECT_EQ(cpu_weight_from_shares(262144), 10000U);
  EXPECT_EQ(cpu_weight_from_shares(0), 0U);
  EXPECT_EQ(io_weight_from_blkio(10), 1U);
  EXPECT_EQ(io_weight_from_blkio(1000), 10000U);
}

}  // namespace
}  // namespace skiff::runtime
