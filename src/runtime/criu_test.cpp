#include "runtime/criu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/fake_criu.h"

namespace skiff::runtime {
namespace {

using namespace std::literals;
using test::FakeCriu;
using test::members;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST(CriuProtocol, WritesOnlyWhatIsSaid) {
  criu::Request request;
  EXPECT_EQ(criu::encode(request), "\x08\x0a"s);
  request.keep_open = true;
  request.features.emplace().memory_tracking = true;
  EXPECT_EQ(criu::encode(request), "\x08\x0a\x20\x01\x2a\x02\x08\x01"s);
  request = {};
  request.type = criu::Type::Notify;
  request.notify_success = false;
  EXPECT_EQ(criu::encode(request), "\x08\x06\x18\x00"s);
}

TEST(CriuProtocol, WritesOptionsByTheirNumbers) {
  criu::Request request;
  request.type = criu::Type::Dump;
  auto& options = request.options.emplace();
  options.images_directory = 5;
  options.pid = 70'000;
  options.parent_images = "../pre";
  options.tcp_close = true;
  options.cgroups = criu::CgroupMode::Ignore;
  options.lsm_mount_context = "c";
  options.page_server = {"::1", 27};
  options.external = {"mnt[/a]:/b", "net[1]:k"};
  options.inherited = {{"pipe:[9]", 1}};
  options.cgroup_roots = {{"", "/x"}};
  const auto inner = members(criu::encode(request), 2).at(0);
  EXPECT_THAT(members(inner, 1), ElementsAre("5"));
  EXPECT_THAT(members(inner, 2), ElementsAre("70000"));
  EXPECT_THAT(members(inner, 3), IsEmpty());
  EXPECT_THAT(members(inner, 11), ElementsAre("\x0a\x03::1\x10\x1b"));
  EXPECT_THAT(members(inner, 14), ElementsAre("../pre"));
  EXPECT_THAT(members(inner, 15), ElementsAre("1"));
  EXPECT_THAT(members(inner, 25), ElementsAre("\x0a\x00\x12\x02/x"s));
  EXPECT_THAT(members(inner, 27), ElementsAre("\x0a\x08pipe:[9]\x10\x01"));
  EXPECT_THAT(members(inner, 34), ElementsAre("0"));
  EXPECT_THAT(members(inner, 37), ElementsAre("mnt[/a]:/b", "net[1]:k"));
  EXPECT_THAT(members(inner, 52), ElementsAre("1"));
  EXPECT_THAT(members(inner, 63), ElementsAre("c"));
}

TEST(CriuProtocol, ReadsAnswers) {
  const auto notify = criu::decode("\x08\x06\x10\x01\x2a\x07\x0a\x02hi\x10\xac\x02"sv);
  ASSERT_TRUE(notify);
  EXPECT_EQ(notify->type, criu::Type::Notify);
  EXPECT_EQ(notify->script, "hi");
  EXPECT_EQ(notify->pid, 300);
  const auto failure = criu::decode("\x08\x01\x10\x00\x38\x38\x4a\x03why\xfa\x01\x01x"sv);
  ASSERT_TRUE(failure);
  EXPECT_FALSE(failure->success);
  EXPECT_EQ(failure->error_number, 56);
  EXPECT_EQ(criu::decode("\x08\x0a\x10\x01\x52\x06\x08\x04\x10\x02\x20\x01"sv)->version, 40201);
  // Between two releases: the features of the next one are there.
  EXPECT_EQ(criu::decode("\x08\x0a\x10\x01\x52\x0a\x08\x03\x10\x0f\x1a\x02v3\x20\x01"sv)->version, 31600);
}

TEST(CriuProtocol, RefusesWhatIsCutOff) {
  for (const auto bytes : {"\x08"sv, "\x08\x06\x2a\x07\x0a"sv, "\x2a\x02\x0a\x09"sv, "\x0b"sv,
                           "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv})
    EXPECT_EQ(criu::decode(bytes).error().kind(), Kind::InvalidArgument);
}

TEST(Criu, SaysWhyItCannotBeUsed) {
  const auto why = [](const char* behaviour) {
    const FakeCriu fake(behaviour);
    return Criu::start({}).error();
  };
  EXPECT_EQ(why("old").message(), "CRIU version 30000 must be 31600 or higher");
  EXPECT_EQ(why("old").kind(), Kind::Unsupported);
  EXPECT_EQ(why("silent").message(),
            "CRIU version check failed: criu ended without an answer: exit status 1");
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  EXPECT_EQ(Criu::start({}).error().message(),
            "CRIU version check failed: exec: \"criu\": executable file not found in $PATH");
  ::setenv("PATH", path.c_str(), 1);
}

TEST(Criu, NamesMissingFeatures) {
  const FakeCriu fake("poor");
  auto criu = Criu::start({});
  ASSERT_TRUE(criu) << criu.error().message();
  EXPECT_EQ(criu->require({.memory_tracking = true, .lazy_pages = true}).error().message(),
            "criu is missing features: [MemTrack LazyPages]");
  EXPECT_TRUE(criu->require({}));
}

TEST(Criu, WorksAndSaysSo) {
  const FakeCriu fake("");
  auto criu = Criu::start({});
  ASSERT_TRUE(criu);
  EXPECT_TRUE(criu->require({.memory_tracking = true}));
  EXPECT_TRUE(criu->perform(criu::Type::PreDump, {}, [](auto&) { return success(); }));
  const auto status = criu->finish();
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 0);
  EXPECT_THAT(fake.heard(), SizeIs(3));
}

TEST(Criu, FailuresHaveTypeAndNumber) {
  const FakeCriu fake("fails");
  auto criu = Criu::start({});
  ASSERT_TRUE(criu);
  const auto failed = criu->perform(criu::Type::Dump, {}, [](auto&) { return success(); });
  EXPECT_EQ(failed.error().message(), "criu failed: type DUMP errno 5");
}

TEST(Criu, ANotificationThatFailsEndsTheWork) {
  const FakeCriu fake("notifies");
  auto criu = Criu::start({});
  ASSERT_TRUE(criu);
  std::string told;
  const auto failed = criu->perform(criu::Type::Restore, {}, [&](auto& notification) -> Result<void> {
    told = fmt::format("{} {}", notification.script, notification.pid);
    return Error(Kind::Forbidden, "not here");
  });
  EXPECT_EQ(told, "setup-namespaces 7");
  EXPECT_EQ(failed.error().message(), "not here");
  EXPECT_THAT(members(fake.heard().at(2), 3), ElementsAre("0"));
}

}  // namespace
}  // namespace skiff::runtime
