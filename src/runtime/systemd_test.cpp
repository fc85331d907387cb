#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/systemd_unit.h"

namespace skiff::runtime {
namespace {

using sys::dbus::Properties;
using sys::dbus::Value;

const Value* find(const Properties& properties, std::string_view name) {
  const Value* found = nullptr;
  for (const auto& property : properties) {
    if (property.name != name) continue;
    EXPECT_EQ(found, nullptr) << name << " is given twice";
    found = &property.value;
  }
  return found;
}
std::uint64_t amount(const Properties& properties, std::string_view name) {
  const auto* value = find(properties, name);
  return value ? std::get<std::uint64_t>(*value) : 0;
}
constexpr std::uint64_t kInfinity = ~std::uint64_t{0};

TEST(Systemd, SlicesLieInOthersByTheirNames) {
  EXPECT_EQ(*slice_path("system.slice"), "system.slice");
  EXPECT_EQ(*slice_path("test-a-b.slice"), "test.slice/test-a.slice/test-a-b.slice");
  EXPECT_EQ(*slice_path("-.slice"), "");
  for (const char* bad : {"", ".slice", "system", "a--b.slice", "-a.slice", "a/b.slice", "a-.slice"})
    EXPECT_EQ(slice_path(bad).error().message(), std::string("invalid slice name: ") + bad);
}

TEST(Systemd, UnitsAreNamedByTheConfiguration) {
  const auto named = systemd_unit("test-a.slice:docker:1234", "id", "");
  ASSERT_TRUE(named.ok());
  EXPECT_EQ(named->name, "docker-1234.scope");
  EXPECT_EQ(named->slice, "test-a.slice");
  EXPECT_EQ(named->cgroup, "test.slice/test-a.slice/docker-1234.scope");
  EXPECT_EQ(systemd_unit("", "id", "")->name, "skiff-id.scope");
  EXPECT_EQ(systemd_unit("a.slice::b.slice", "id", "")->cgroup, "a.slice/b.slice");
  EXPECT_EQ(systemd_unit("a.slice:p:n", "id", "user.slice/user@1.service")->cgroup,
            "user.slice/user@1.service/a.slice/p-n.scope");
  EXPECT_EQ(
      systemd_unit("/a/b", "id", "").error().message(),
      "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/a/b\" instead");
  EXPECT_FALSE(systemd_unit("a.slice:p:../../b", "id", "").ok());
}

TEST(Systemd, LimitsBecomePropertiesOfEitherVersion) {
  spec::oci::Resources resources;
  resources.memory = spec::oci::Memory{.limit = 100 << 20, .reservation = 50 << 20, .swap = 300 << 20};
  resources.cpu = spec::oci::Cpu{.shares = 1024, .quota = 25500, .period = 50000, .cpus = "0-2,9"};
  resources.pids = spec::oci::Pids{-1};
  resources.block_io.emplace().weight = 500;
  const auto two = *resource_properties(resources, true, 252);
  EXPECT_EQ(amount(two, "MemoryMax"), 100U << 20);
  EXPECT_EQ(amount(two, "MemoryLow"), 50U << 20);
  EXPECT_EQ(amount(two, "MemorySwapMax"), 200U << 20);
  EXPECT_EQ(amount(two, "CPUWeight"), 39U);
  EXPECT_EQ(amount(two, "CPUQuotaPeriodUSec"), 50000U);
  EXPECT_EQ(amount(two, "CPUQuotaPerSecUSec"), 510000U);
  EXPECT_EQ(amount(two, "TasksMax"), kInfinity);
  EXPECT_EQ(*find(two, "AllowedCPUs"), Value(std::vector<std::uint8_t>{7, 2}));
  EXPECT_EQ(find(two, "BlockIOWeight"), nullptr);
  const auto one = *resource_properties(resources, false, 241);
  EXPECT_EQ(amount(one, "MemoryLimit"), 100U << 20);
  EXPECT_EQ(amount(one, "CPUShares"), 1024U);
  EXPECT_EQ(amount(one, "BlockIOWeight"), 500U);
  for (const char* unknown : {"MemoryLow", "MemorySwapMax", "CPUQuotaPeriodUSec", "AllowedCPUs"})
    EXPECT_EQ(find(one, unknown), nullptr) << unknown;
  resources.cpu->cpus = "3-1";
  EXPECT_FALSE(resource_properties(resources, true, 252).ok());
}

TEST(Systemd, AnnotationsBecomeProperties) {
  const auto properties = *annotated_properties({{"org.systemd.property", "1"},
                                                 {"org.systemd.property.TimeoutStopSec", "uint16 7"},
                                                 {"org.systemd.property.CollectMode", "'inactive'"},
                                                 {"org.systemd.property.StartLimitIntervalUSec", "uint64 1"},
                                                 {"org.systemd.propertyX", "?"}});
  EXPECT_EQ(properties.size(), 3U);
  EXPECT_EQ(amount(properties, "TimeoutStopUSec"), 7'000'000U);
  EXPECT_EQ(*find(properties, "CollectMode"), Value(*sys::dbus::parse_value("'inactive'")));
  EXPECT_EQ(
      std::get<std::uint64_t>(annotated_properties({{"org.systemd.property.xSec", "1.5"}})->at(0).value),
      1'500'000U);
  const auto said = [](const char* name, const char* text) {
    return annotated_properties({{std::string("org.systemd.property.") + name, text}}).error().message();
  };
  EXPECT_EQ(said("ab", "1"), "annotation org.systemd.property.ab name incorrect: too short");
  EXPECT_EQ(said("A.b", "1"),
            "annotation org.systemd.property.A.b name incorrect: contains non-alphabetic character");
  EXPECT_EQ(said("Mode", "x"),
            "annotation org.systemd.property.Mode=x value parse error: \"x\" is not a value");
  EXPECT_EQ(said("StopSec", "'x'"),
            "annotation org.systemd.property.StopSec='x' value parse error: not a number");
}

TEST(Systemd, FilesOfVersion2BecomeProperties) {
  spec::oci::Resources resources;
  resources.unified = {{"memory.high", "1000"}, {"memory.swap.max", "max"}, {"cpu.max", "30000 100000"},
                       {"cpuset.mems", "1"},    {"hugetlb.2MB.max", "0"},   {"pids.max", "7"}};
  const auto properties = *resource_properties(resources, true, 252);
  EXPECT_EQ(properties.size(), 6U);
  EXPECT_EQ(amount(properties, "MemoryHigh"), 1000U);
  EXPECT_EQ(amount(properties, "MemorySwapMax"), kInfinity);
  EXPECT_EQ(amount(properties, "CPUQuotaPerSecUSec"), 300000U);
  EXPECT_EQ(amount(properties, "TasksMax"), 7U);
  EXPECT_EQ(*find(properties, "AllowedMemoryNodes"), Value(std::vector<std::uint8_t>{2}));
  resources.unified = {{"pids.max", "many"}};
  EXPECT_EQ(resource_properties(resources, true, 252).error().message(),
            "unified resource \"pids.max\" value invalid: \"many\"");
}

TEST(Systemd, DevicesAreAListOfWhatIsAllowed) {
  spec::oci::Resources resources;
  const auto unit = *systemd_unit("", "id", "");
  const auto devices = [&] {
    const auto properties = *unit_properties(unit, "id", 7, resources, true, 252);
    EXPECT_EQ(*find(properties, "PIDs"), Value(std::vector<std::uint32_t>{7}));
    const auto list =
        std::get<std::vector<std::pair<std::string, std::string>>>(*find(properties, "DeviceAllow"));
    return std::pair(std::get<std::string>(*find(properties, "DevicePolicy")), list);
  };
  EXPECT_EQ(devices().first, "auto");
  resources.devices = {{false, "a", {}, {}, "rwm"},
                       {true, "c", 1, 3, "rw"},
                       {true, "c", 10, 200, "rwm"},
                       {false, "c", 10, 200, "rwm"},
                       {true, "b", {}, {}, "m"}};
  const auto [policy, list] = devices();
  EXPECT_EQ(policy, "strict");
  using Pair = std::pair<std::string, std::string>;
  EXPECT_THAT(list, testing::Contains(Pair("/dev/char/1:3", "rwm")));  // by default
  EXPECT_THAT(list, testing::Contains(Pair("block-*", "m")));
  EXPECT_THAT(list, testing::Not(testing::Contains(testing::Field(&Pair::first, "/dev/char/10:200"))));
  resources.devices.push_back({true, "a", {}, {}, "rwm"});
  EXPECT_EQ(devices().first, "auto");
}

}  // namespace
}  // namespace skiff::runtime
