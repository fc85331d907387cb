#include "spec/users.h"

#include <gtest/gtest.h>

namespace skiff::spec {
namespace {

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken line\n"
    "huge:x:99999999999:1::/:/bin/sh\n"
    "app:x:1000:1001:,,,:/home/app:/bin/sh\n";
constexpr std::string_view kGroup = "root:x:0:\nwheel:x:10:root,app\napp:x:1001:\naudio:x:29:app\n";

using Gids = std::vector<std::uint32_t>;

TEST(Users, EmptyIsRootWithItsGroups) {
  const auto user = resolve_user("", {}, kPasswd, kGroup);
  ASSERT_TRUE(user.ok());
  EXPECT_EQ(user->uid, 0U);
  EXPECT_EQ(user->home, "/root");
  EXPECT_EQ(user->additional_gids, (Gids{0, 10}));
}

TEST(Users, NamesNumbersAndGroups) {
  auto user = resolve_user("app", {}, kPasswd, kGroup);
  ASSERT_TRUE(user.ok());
  EXPECT_EQ(user->uid, 1000U);
  EXPECT_EQ(user->gid, 1001U);
  EXPECT_EQ(user->additional_gids, (Gids{10, 29, 1001}));
  user = resolve_user("1000", {}, kPasswd, kGroup);
  EXPECT_EQ(user->gid, 1001U);
  EXPECT_EQ(user->home, "/home/app");
  user = resolve_user("app:audio", {}, kPasswd, kGroup);
  EXPECT_EQ(user->gid, 29U);
  EXPECT_EQ(user->additional_gids, Gids{29});
  user = resolve_user("4321:8765", {"audio", "7"}, kPasswd, kGroup);
  EXPECT_EQ(user->uid, 4321U);
  EXPECT_EQ(user->gid, 8765U);
  EXPECT_EQ(user->additional_gids, (Gids{7, 29, 8765}));
}

TEST(Users, WithoutFilesRootStillIsRoot) {
  const auto user = resolve_user("", {}, "", "");
  ASSERT_TRUE(user.ok());
  EXPECT_EQ(user->uid, 0U);
  EXPECT_EQ(user->home, "/");
}

TEST(Users, UnknownNamesAreDockersSentence) {
  EXPECT_EQ(resolve_user("nobody2", {}, kPasswd, kGroup).error().message(),
            "unable to find user nobody2: no matching entries in passwd file");
  EXPECT_EQ(resolve_user("root:grpx", {}, kPasswd, kGroup).error().message(),
            "unable to find group grpx: no matching entries in group file");
  EXPECT_EQ(resolve_user("-5", {}, kPasswd, kGroup).error().message(),
            "uids and gids must be in range 0-2147483647");
  EXPECT_FALSE(resolve_user("huge", {}, kPasswd, kGroup).ok());
}

TEST(Users, HostileFilesAreHarmless) {
  const std::string long_line = "root:x:0:0:" + std::string(1 << 20, 'a') + ":/:/x\n";
  EXPECT_EQ(resolve_user("", {}, long_line, long_line)->home, "/");
  EXPECT_TRUE(resolve_user("", {}, std::string("\0\0:::::\n:::\n\n", 13), ":::::").ok());
}

}  // namespace
}  // namespace skiff::spec
